// `#!` scripts: their arguments, an argument of their own, scripts as interpreters, and what goes wrong.
#include "check.h"
#include "process/process.h"
#include <sys/auxv.h>

static char self[4096];

static const char *run(const char *path, const char *second) {
    int status;
    const char *text = OUTPUT_OF(&status, execve(path, (char *[]){"zero", (char *)second, NULL}, (char *[]){NULL}));
    return status == 0 ? text : "failed";
}

static void make_script(const char *name, const char *format, const char *word) {
    static char text[8192];
    snprintf(text, sizeof text, format, word);
    make_file(name, text, 0755);
}

static int start(const char *path) {
    return execve(path, (char *[]){"zero", NULL}, (char *[]){NULL});
}

int main(int argc, char **argv) {
    // As an interpreter: shows the arguments behind its own name.
    if (argc > 1) {
        for (int i = 1; i < argc; i++)
            check_print("[%s]", argv[i]);
        check_print("%s", (char *)getauxval(AT_EXECFN));
        return 0;
    }
    ssize_t length = CHECK_OK(readlink("/proc/self/exe", self, sizeof self - 1));
    CHECK(length > 0);
    make_script("one", "#!%s\nrest is not read\n", self);
    CHECK_STR(run("./one", "second"), "[./one][second]./one");
    CHECK_STR(run("one", NULL), "[one]one");
    make_script("two", "#! %s  -a  b c  \n", self);
    CHECK_STR(run("./two", "second"), "[-a  b c][./two][second]./two");
    make_script("nested", "#!%s nested-argument\n", "./two");
    CHECK_STR(run("./nested", "second"), "[-a  b c][./two][nested-argument][./nested][second]./nested");
    make_script("no_end", "#!%s", self);
    CHECK_STR(run("./no_end", NULL), "[./no_end]./no_end");

    make_script("missing", "#!%s\n", "/no/such/interpreter");
    CHECK_ERR(start("missing"), ENOENT);
    make_script("folder", "#!%s\n", "/");
    CHECK_ERR(start("folder"), EACCES);
    make_script("nothing", "#!%s\n", "");
    CHECK_ERR(start("nothing"), ENOEXEC);
    make_script("not_a_program", "#!%s\n", "./text");
    make_file("text", "text\n", 0755);
    CHECK_ERR(start("not_a_program"), ENOEXEC);
    make_script("itself", "#!%s\n", "./itself");
    CHECK_ERR(start("itself"), ELOOP);
    CHECK_OK(chmod("two", 0644));
    CHECK_ERR(start("two"), EACCES);
    CHECK_ERR(start("nested"), EACCES);

    // Five scripts deep is allowed, six are not.
    make_script("deep1", "#!%s\n", self);
    char name[16], interpreter[16];
    for (int i = 2; i <= 6; i++) {
        snprintf(name, sizeof name, "deep%d", i);
        snprintf(interpreter, sizeof interpreter, "./deep%d", i - 1);
        make_script(name, "#!%s\n", interpreter);
    }
    CHECK_STR(run("./deep5", NULL), "[./deep1][./deep2][./deep3][./deep4][./deep5]./deep5");
    CHECK_ERR(start("./deep6"), ELOOP);
    return CHECK_DONE();
}
