// execveat(2): a folder's descriptor, an empty path, symbolic links, and its errors.
#include "check.h"
#include "process/process.h"
#include <sys/auxv.h>
#include <sys/syscall.h>

static char *args[] = {"shown", NULL};
static char *none[] = {NULL};

static long at(int dir, const char *path, int flags) {
    return syscall(SYS_execveat, dir, path, args, none, flags);
}

static const char *shown(int dir, const char *path, int flags) {
    int status;
    const char *text = OUTPUT_OF(&status, at(dir, path, flags));
    return status == 0 ? text : "failed";
}

int main(int argc, char **argv) {
    if ((argc == 1 && strcmp(argv[0], "shown") == 0) || (argc == 2 && strncmp(argv[1], "/dev/fd/", 8) == 0)) {
        check_print("%s", (char *)getauxval(AT_EXECFN));
        return 0;
    }
    static char self[4096];
    CHECK_OK(readlink("/proc/self/exe", self, sizeof self - 1));
    CHECK_OK(mkdir("folder", 0700));
    CHECK_OK(symlink(self, "folder/link"));
    int folder = CHECK_OK(dup2(open("folder", O_RDONLY), 20));
    int path_only = CHECK_OK(dup2(open(self, O_PATH), 21));
    int readable = CHECK_OK(dup2(open(self, O_RDONLY), 22));
    CHECK_STR(shown(folder, "link", 0), "/dev/fd/20/link");
    CHECK_STR(shown(path_only, "", AT_EMPTY_PATH), "/dev/fd/21");
    CHECK_STR(shown(readable, "", AT_EMPTY_PATH), "/dev/fd/22");
    CHECK_STR(shown(AT_FDCWD, "folder/link", 0), "folder/link");
    CHECK(strcmp(shown(folder, self, 0), self) == 0);
    CHECK_OK(fcntl(readable, F_SETFD, FD_CLOEXEC));
    CHECK_STR(shown(readable, "", AT_EMPTY_PATH), "/dev/fd/22");

    CHECK_ERR(at(readable, "", 0), ENOENT);
    CHECK_ERR(at(folder, "missing", 0), ENOENT);
    CHECK_ERR(at(folder, "", AT_EMPTY_PATH), EACCES);
    CHECK_ERR(at(folder, "link", AT_SYMLINK_NOFOLLOW), ELOOP);
    CHECK_ERR(at(readable, "below", 0), ENOTDIR);
    CHECK_ERR(at(77, "below", 0), EBADF);
    CHECK_ERR(at(77, "", AT_EMPTY_PATH), EBADF);
    CHECK_ERR(at(folder, "link", 0x4000000), EINVAL);

    // A script behind a descriptor that is closed when its interpreter would open it.
    char script_text[5000];
    snprintf(script_text, sizeof script_text, "#!%s\n", self);
    make_file("script", script_text, 0755);
    int script = CHECK_OK(dup2(open("script", O_RDONLY), 23));
    CHECK_STR(shown(script, "", AT_EMPTY_PATH), "/dev/fd/23");
    CHECK_OK(fcntl(script, F_SETFD, FD_CLOEXEC));
    CHECK_ERR(at(script, "", AT_EMPTY_PATH), ENOENT);

    return CHECK_DONE();
}
