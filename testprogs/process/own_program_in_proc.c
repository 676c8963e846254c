// /proc/self: exe, cmdline, environ, comm and auxv are the program's, in a child and after execve(2), too.
#include "check.h"
#include "process/process.h"
#include <elf.h>
#include <sys/auxv.h>
#include <sys/prctl.h>

static size_t content(const char *path, char *to, size_t room) {
    int fd = open(path, O_RDONLY);
    ssize_t got = read(fd, to, room - 1);
    close(fd);
    to[got < 0 ? 0 : got] = 0;
    return got < 0 ? 0 : (size_t)got;
}

static char self[4096];

static bool is_own(const char *path) {
    char link[4096] = "";
    struct stat one, other;
    return readlink(path, link, sizeof link - 1) > 0 && strcmp(link, self) == 0 && stat(path, &one) == 0 &&
           stat(self, &other) == 0 && one.st_ino == other.st_ino;
}

static int show(void) {
    char text[4096], path[64];
    size_t length = content("/proc/self/cmdline", text, sizeof text);
    check_print("%zu:", length);
    for (size_t i = 0; i < length; i++)
        check_print("%c", text[i] ? text[i] : '|');
    length = content("/proc/self/environ", text, sizeof text);
    check_print(" %zu:", length);
    for (size_t i = 0; i < length; i++)
        check_print("%c", text[i] ? text[i] : '|');
    snprintf(path, sizeof path, "/proc/%d/comm", getpid());
    content(path, text, sizeof text);
    check_print(" %s", text);
    return 0;
}

int main(int argc, char **argv) {
    if (argc > 1)
        return show();
    char *slash = strrchr(argv[0], '/');
    CHECK(realpath(argv[0], self) != NULL);
    CHECK(is_own("/proc/self/exe"));
    CHECK(is_own("/proc/thread-self/exe"));
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/exe", getpid());
    CHECK(is_own(path));
    snprintf(path, sizeof path, "/proc/self/task/%d/exe", getpid());
    CHECK(is_own(path));
    snprintf(path, sizeof path, "/proc/%d/task/%d/exe", getpid(), getpid());
    CHECK(is_own(path));
    struct stat link;
    CHECK(lstat("/proc/self/exe", &link) == 0 && S_ISLNK(link.st_mode));
    char start[5];
    CHECK_EQ(content("/proc/self/exe", start, sizeof start), 4);
    CHECK(memcmp(start, ELFMAG, SELFMAG) == 0);
    CHECK_EQ(code_of(IN_CHILD(is_own("/proc/self/exe"))), 1);

    char text[4096];
    CHECK_EQ(content("/proc/self/cmdline", text, sizeof text), strlen(argv[0]) + 1);
    CHECK(strcmp(text, argv[0]) == 0);
    CHECK_EQ(content("/proc/self/comm", text, sizeof text) > 1, 1);
    CHECK(slash != NULL && strncmp(text, slash + 1, 15) == 0);
    // The kernel reads the strings where they are.
    argv[0][0] = 'X';
    content("/proc/self/cmdline", text, sizeof text);
    CHECK_EQ(text[0], 'X');

    static Elf64_auxv_t vector[64];
    CHECK(content("/proc/self/auxv", (char *)vector, sizeof vector) > 16);
    unsigned long entry = 0;
    for (Elf64_auxv_t *at = vector; at->a_type != AT_NULL; at++)
        if (at->a_type == AT_ENTRY)
            entry = at->a_un.a_val;
    CHECK_EQ(entry, getauxval(AT_ENTRY));

    int status;
    const char *shown = OUTPUT_OF(&status, execve(self, (char *[]){"name", "second one", "", NULL}, (char *[]){"A=b", "C=", NULL}));
    CHECK_STR(shown, "17:name|second one|| 7:A=b|C=| own_program_in_\n");
    return CHECK_DONE();
}
