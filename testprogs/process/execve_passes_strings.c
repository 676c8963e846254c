// execve(2): arguments and environment arrive exactly, with empty strings, without any, and with all bytes.
#include "check.h"
#include "process/process.h"
#include <sys/auxv.h>

extern char **environ;

static void show(char **list) {
    for (; *list; list++)
        check_print("[%s]", *list);
    check_print(";");
}

static const char *shown(char **args, char **environment) {
    int status;
    const char *text = OUTPUT_OF(&status, execve("/proc/self/exe", args, environment));
    if (status != 0)
        check_print("status %x\n", status);
    return text;
}

int main(int argc, char **argv) {
    if (argc == 0 || strncmp(argv[0], "show", 4) == 0 || argv[0][0] == 0) {
        check_print("%d:", argc);
        show(argv);
        show(environ);
        return strcmp((char *)getauxval(AT_EXECFN), "/proc/self/exe") != 0;
    }
    CHECK_STR(shown((char *[]){"show", NULL}, (char *[]){NULL}), "1:[show];;");
    CHECK_STR(shown((char *[]){"show", "", "a b", "", NULL}, (char *[]){"A=1", "", "A=2", "no equals", NULL}),
              "4:[show][][a b][];[A=1][][A=2][no equals];");
    CHECK_STR(shown((char *[]){"show", "-x", "--", "--env=1", "doctor", NULL}, (char *[]){"PATH=/nowhere", NULL}),
              "5:[show][-x][--][--env=1][doctor];[PATH=/nowhere];");
    CHECK_STR(shown((char *[]){"", NULL}, (char *[]){"X=", NULL}), "1:[];[X=];");
    CHECK_STR(shown((char *[]){"show\xff\x01\n\xc3\xa9", NULL}, NULL), "1:[show\xff\x01\n\xc3\xa9];;");
    // Since Linux 5.18 an empty list gets an empty string.
    CHECK_STR(shown((char *[]){NULL}, (char *[]){NULL}), "1:[];;");
    CHECK_STR(shown(NULL, NULL), "1:[];;");

    enum { MANY = 2000 };
    static char *many[MANY + 1];
    for (int i = 0; i < MANY; i++)
        many[i] = "show";
    const char *text = shown(many, (char *[]){NULL});
    CHECK_EQ(strlen(text), 5 + 6 * MANY + 2);
    CHECK(strncmp(text, "2000:[show][show]", 17) == 0);

    static char long_argument[60000];
    memset(long_argument, 'x', sizeof long_argument - 1);
    text = shown((char *[]){"show", long_argument, NULL}, (char *[]){NULL});
    CHECK_EQ(strlen(text) > 1000, 1);
    return CHECK_DONE();
}
