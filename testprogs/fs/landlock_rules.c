// Landlock: what a ruleset does not allow is refused from then on, to programs that are executed
// and to children as well.
#include "check.h"
#include <fcntl.h>
#include <linux/landlock.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define READ LANDLOCK_ACCESS_FS_READ_FILE
#define EXECUTE LANDLOCK_ACCESS_FS_EXECUTE

static int create(uint64_t handled) {
    struct landlock_ruleset_attr attr = {.handled_access_fs = handled};
    return (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
}

static int allow(int ruleset, const char *path, uint64_t access) {
    int fd = open(path, O_PATH | O_CLOEXEC);
    struct landlock_path_beneath_attr rule = {.allowed_access = access, .parent_fd = fd};
    int result = (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    int error = errno;
    close(fd);
    errno = error;
    return result;
}

static int can_read(const char *path) {
    int fd = open(path, O_RDONLY);
    int error = errno;
    if (fd < 0)
        return error;
    close(fd);
    return 0;
}

static int execute(const char *path, char *argument) {
    pid_t child = fork();
    if (child == 0) {
        char *args[] = {"again", argument, NULL}, *env[] = {NULL};
        execve(path, args, env);
        _exit(errno);
    }
    int status;
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
}

// Ports from version 4 on: what connecting to two of them, where nobody listens, then says.
static void ports(void) {
    enum { ALLOWED = 9, REFUSED = 10, CONNECT = 1 << 1, RULE_PORT = 2 };
    struct {
        uint64_t files, ports;
    } attr = {0, CONNECT};
    struct {
        uint64_t access, port;
    } rule = {CONNECT, ALLOWED};
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
    CHECK(ruleset >= 0);
    CHECK_ERR(syscall(SYS_landlock_add_rule, ruleset, RULE_PORT, (void *)8, 0), EFAULT);
    CHECK_OK(syscall(SYS_landlock_add_rule, ruleset, RULE_PORT, &rule, 0));
    rule.port = 1 << 16;
    CHECK_ERR(syscall(SYS_landlock_add_rule, ruleset, RULE_PORT, &rule, 0), EINVAL);
    CHECK_OK(syscall(SYS_landlock_restrict_self, ruleset, 0));
    for (int port = ALLOWED; port <= REFUSED; port++) {
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        CHECK_ERR(connect(fd, (struct sockaddr *)&to, sizeof to), port == ALLOWED ? ECONNREFUSED : EACCES);
        close(fd);
    }
}

static void make(const char *path) { close(open(path, O_CREAT | O_WRONLY, 0755)); }

int main(int argc, char **argv) {
    if (argc == 2) // Executed by itself, within the rules.
        _exit(can_read("open/file") == 0 && can_read("closed/file") == EACCES ? 77 : 78);
    CHECK_ERR(syscall(SYS_landlock_create_ruleset, NULL, 0, 1 << 20), EINVAL);
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
    if (version < 1)
        SKIP("this kernel has no Landlock");
    CHECK_OK(mkdir("open", 0755));
    CHECK_OK(mkdir("closed", 0755));
    make("open/file");
    make("closed/file");
    CHECK_ERR(syscall(SYS_landlock_create_ruleset, (void *)8, 16, 0), EFAULT);
    int ruleset = create(READ | EXECUTE);
    CHECK(ruleset >= 0);
    CHECK_OK(allow(ruleset, "open", READ));
    CHECK_OK(allow(ruleset, argv[0], READ | EXECUTE));
    CHECK_ERR(allow(ruleset, "nothing", READ), EBADF);
    CHECK_ERR(allow(ruleset, "open", LANDLOCK_ACCESS_FS_MAKE_DIR), EINVAL);
    CHECK_ERR(syscall(SYS_landlock_add_rule, ruleset, 99, NULL, 0), EINVAL);
    CHECK_ERR(syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, (void *)8, 0), EFAULT);
    CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    CHECK_ERR(syscall(SYS_landlock_restrict_self, -1, 0), EBADF);
    CHECK_EQ(can_read("closed/file"), 0);
    CHECK_OK(syscall(SYS_landlock_restrict_self, ruleset, 0));
    CHECK_EQ(can_read("open/file"), 0);
    CHECK_EQ(can_read("closed/file"), EACCES);
    CHECK_OK(mkdir("closed/folder", 0755));
    CHECK_EQ(execute(argv[0], "x"), 77);
    CHECK_EQ(execute("open/file", "x"), EACCES);
    if (version >= 4)
        ports();
    return CHECK_DONE();
}
