// execve(2), environ(7): arguments as given, the environment as a list that setenv(3) may change.
#include "check.h"

extern char **environ;

int main(int argc, char **argv, char **envp) {
    CHECK(argc >= 1);
    CHECK(argv[argc] == NULL);
    for (int i = 1; i < argc; i++)
        NOTE("argument %d: %s", i, argv[i]);
    // The strings are packed one after another.
    int packed = 1;
    for (int i = 1; i < argc; i++)
        packed += argv[i] == argv[i - 1] + strlen(argv[i - 1]) + 1;
    CHECK_EQ(packed, argc);
    CHECK_EQ(environ, envp);
    const char *last = argv[argc - 1];
    CHECK(envp[0] == NULL || envp[0] == last + strlen(last) + 1);
    int odd = 0;
    for (char **e = envp; *e != NULL; e++)
        odd += strchr(*e, '=') == NULL;
    CHECK_EQ(odd, 0);
    CHECK_STR(program_invocation_short_name, "arguments_and_environment");

    CHECK_EQ(setenv("KVM_SE_TEST", "one", 1), 0);
    CHECK_EQ(setenv("KVM_SE_TEST", "two", 0), 0);
    CHECK_STR(getenv("KVM_SE_TEST"), "one");
    CHECK_EQ(unsetenv("KVM_SE_TEST"), 0);
    CHECK(getenv("KVM_SE_TEST") == NULL);
    CHECK_ERR(setenv("BAD=NAME", "x", 1), EINVAL);
    // The area is writable: a program may overwrite its own arguments.
    argv[0][0] = '#';
    CHECK_EQ(argv[0][0], '#');
    return CHECK_DONE();
}
