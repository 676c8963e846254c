// /proc/self/maps taken apart, and small files read whole.
#ifndef SELF_H
#define SELF_H

#include "check.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

// Reads a file of /proc whole; the caller frees it.
static inline char *read_whole(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    size_t room = 1 << 20, len = 0;
    char *text = malloc(room);
    ssize_t n;
    while ((n = read(fd, text + len, room - len - 1)) > 0)
        len += n;
    text[len] = 0;
    close(fd);
    return text;
}

struct mapping {
    unsigned long start, end, offset, inode;
    unsigned int major, minor;
    char rights[5], name[512];
};

// The mapping at `addr` according to `text`; false if there is none.
static inline bool find_in(const char *text, const void *addr, struct mapping *to) {
    for (const char *line = text; line && *line; line = strchr(line, '\n'), line += line != NULL) {
        struct mapping m = {0};
        int fields = sscanf(line, "%lx-%lx %4s %lx %x:%x %lu%*[ ]%511[^\n]", &m.start, &m.end, m.rights, &m.offset,
                            &m.major, &m.minor, &m.inode, m.name);
        if (fields >= 7 && m.start <= (unsigned long)addr && (unsigned long)addr < m.end) {
            *to = m;
            return true;
        }
    }
    return false;
}

// The same, of /proc/self/maps as it is now.
static inline bool find_mapping(const void *addr, struct mapping *to) {
    char *text = read_whole("/proc/self/maps");
    bool found = text && find_in(text, addr, to);
    free(text);
    return found;
}

// The number behind `key` in a file of lines "key: number"; -1 without such a line.
static inline long number_in(const char *path, const char *key) {
    char *text = read_whole(path), *line = text;
    long number = -1;
    while (line && *line) {
        if (strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == ':') {
            number = strtol(line + strlen(key) + 1, NULL, 10);
            break;
        }
        line = strchr(line, '\n');
        line += line != NULL;
    }
    free(text);
    return number;
}

#endif
