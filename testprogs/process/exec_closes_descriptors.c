// execve(2): descriptors with close-on-exec are closed, all others stay with their numbers and offsets.
#include "check.h"
#include "process/process.h"
#include <dirent.h>

static void list_descriptors(void) {
    DIR *folder = opendir("/proc/self/fd");
    int numbers[64], count = 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        if (entry->d_name[0] != '.' && atoi(entry->d_name) != dirfd(folder) && atoi(entry->d_name) < 1000)
            numbers[count++] = atoi(entry->d_name);
    closedir(folder);
    for (int want = 0; want < 1000; want++)
        for (int i = 0; i < count; i++)
            if (numbers[i] == want)
                check_print(" %d", want);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        list_descriptors();
        check_print(" offset %ld %ld", (long)lseek(5, 0, SEEK_CUR), (long)lseek(900, 0, SEEK_CUR));
        return 0;
    }
    CHECK_OK(close_range(3, ~0u, 0));
    make_file("file", "0123456789", 0600);
    int fd = CHECK_OK(open("file", O_RDONLY));
    CHECK_EQ(fd, 3);
    CHECK_EQ(lseek(fd, 4, SEEK_SET), 4);
    CHECK_OK(dup2(fd, 5));
    CHECK_OK(dup2(fd, 900));
    CHECK_OK(dup3(fd, 7, O_CLOEXEC));
    CHECK_OK(fcntl(fd, F_SETFD, FD_CLOEXEC));
    int status;
    char *args[] = {argv[0], "list", NULL};
    const char *text = OUTPUT_OF(&status, execve("/proc/self/exe", args, (char *[]){NULL}));
    CHECK_EQ(status, 0);
    CHECK_STR(text, " 0 1 2 5 900 offset 4 4");
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 4);
    CHECK_EQ(lseek(7, 0, SEEK_CUR), 4);
    // A program that cannot be executed costs no descriptor.
    CHECK_ERR(execve("no/such", args, NULL), ENOENT);
    CHECK_EQ(lseek(7, 0, SEEK_CUR), 4);
    CHECK_EQ(open("file", O_RDONLY), 4);
    return CHECK_DONE();
}
