// system(3) and popen(3): shells, pipelines, their output and statuses.
#include "check.h"
#include "process/process.h"

static const char *lines_of(const char *command, int *status) {
    static char text[4096];
    FILE *from = popen(command, "r");
    size_t length = fread(text, 1, sizeof text - 1, from);
    text[length] = 0;
    *status = pclose(from);
    return text;
}

int main(void) {
    int status;
    if (access("/bin/sh", X_OK) < 0 || access("/bin/cat", X_OK) < 0)
        SKIP("no shell");
    CHECK(system(NULL) != 0);
    CHECK_EQ(WEXITSTATUS(system("exit 3")), 3);
    CHECK_EQ(system("true"), 0);
    CHECK_EQ(WEXITSTATUS(system("no-such-command-at-all 2>/dev/null")), 127);
    CHECK_EQ(system("kill -TERM $$"), SIGTERM);
    CHECK_STR(lines_of("echo one; echo two | tr a-z A-Z; printf '%s|' 'a b' c", &status), "one\nTWO\na b|c|");
    CHECK_EQ(status, 0);
    CHECK_STR(lines_of("printf '3\\n1\\n2\\n' | sort | while read n; do echo \"<$n>\"; done; exit 4", &status),
              "<1>\n<2>\n<3>\n");
    CHECK_EQ(WEXITSTATUS(status), 4);
    CHECK_STR(lines_of("x=$(echo inner $(echo deep)); echo \"$x\"", &status), "inner deep\n");
    CHECK_STR(lines_of("cat <<END | wc -l\na\nb\nc\nEND", &status), "3\n");
    FILE *to = popen("cat >written", "w");
    CHECK(to != NULL);
    CHECK_EQ(fputs("through a pipe", to) >= 0, 1);
    CHECK_EQ(pclose(to), 0);
    CHECK_STR(lines_of("cat written", &status), "through a pipe");
    return CHECK_DONE();
}
