// execve(2): what cannot be executed, by name of the error; the caller goes on.
#include "check.h"
#include "process/process.h"

static int run(const char *path) {
    return execve(path, (char *[]){"x", NULL}, (char *[]){NULL});
}

static char *nothing[] = {NULL};
static char **volatile unmapped = (char **)8;
static char *volatile bad = (char *)1;

int main(void) {
    CHECK_ERR(run("missing"), ENOENT);
    CHECK_ERR(run(""), ENOENT);
    CHECK_ERR(run("/"), EACCES);
    make_file("plain", "just text\n", 0644);
    CHECK_ERR(run("plain"), EACCES);
    make_file("text", "just text\n", 0755);
    CHECK_ERR(run("text"), ENOEXEC);
    make_file("empty", "", 0755);
    CHECK_ERR(run("empty"), ENOEXEC);
    CHECK_ERR(run("text/below"), ENOTDIR);
    CHECK_OK(symlink("loop", "loop"));
    CHECK_ERR(run("loop"), ELOOP);
    CHECK_OK(symlink("missing", "dangling"));
    CHECK_ERR(run("dangling"), ENOENT);
    CHECK_OK(mkfifo("fifo", 0755));
    CHECK_ERR(run("fifo"), EACCES);
    CHECK_ERR(run("/dev/null"), EACCES);

    static char name[5000];
    memset(name, 'n', 300);
    CHECK_ERR(run(name), ENAMETOOLONG);
    memset(name, '/', 4999);
    CHECK_ERR(run(name), ENAMETOOLONG);

    make_file("half", "\177ELF\2\1\1", 0755);
    CHECK_ERR(run("half"), ENOEXEC);
    make_file("open", "#!/bin/sh\n", 0755);
    int fd = CHECK_OK(open("open", O_WRONLY));
    CHECK_ERR(run("open"), ETXTBSY);
    CHECK_OK(close(fd));

    CHECK_ERR(execve(bad, nothing, nothing), EFAULT);
    CHECK_ERR(execve("text", unmapped, nothing), EFAULT);
    CHECK_ERR(execve("text", (char *[]){bad, NULL}, nothing), EFAULT);
    CHECK_ERR(execve("text", (char *[]){"x", NULL}, (char *[]){bad, NULL}), EFAULT);
    // The file comes first.
    CHECK_ERR(execve("missing", unmapped, nothing), ENOENT);
    return CHECK_DONE();
}
