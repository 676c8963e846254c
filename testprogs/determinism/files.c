/* Names in a directory, numbers and times of files, and files that tell of the machine. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

static void show_file(const char *name)
{
    char text[4096];
    int fd = open(name, O_RDONLY);
    ssize_t len = read(fd, text, sizeof text);
    close(fd);
    printf("%s: %.*s", name, len < 0 ? 0 : (int)len, text);
}

int main(void)
{
    const char *names[] = { "c", "a", "d", "b" };
    for (int i = 0; i < 4; i++)
        close(open(names[i], O_CREAT | O_WRONLY, 0644));
    struct timespec times[2] = { { 1000000007, 5 }, { 1000000007, 5 } };
    utimensat(AT_FDCWD, "a", times, 0);
    DIR *dir = opendir(".");
    for (struct dirent *entry; (entry = readdir(dir));)
        printf("%s %lu\n", entry->d_name, entry->d_ino);
    struct stat stat_a, stat_b;
    stat("a", &stat_a);
    stat("b", &stat_b);
    printf("%ld.%09ld %ld.%09ld\n", stat_a.st_mtim.tv_sec, stat_a.st_mtim.tv_nsec, stat_b.st_mtim.tv_sec,
           stat_b.st_mtim.tv_nsec);
    struct utsname name;
    uname(&name);
    printf("%s %s\n", name.nodename, name.release);
    show_file("/proc/uptime");
    show_file("/proc/self/stat");
    show_file("/proc/self/maps");
    show_file("/proc/sys/kernel/random/uuid");
    return 0;
}
