// Helpers of the memory programs.
#ifndef MEM_H
#define MEM_H

#include "check.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define PAGE ((size_t)4096)

// Anonymous private pages.
static inline char *map_pages(size_t pages, int protection) {
    void *start = mmap(NULL, pages * PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED) {
        check_print("FAIL map_pages(%zu): %s\n", pages, check_errno_name(errno));
        exit(1);
    }
    return start;
}

// Anonymous private pages whose neighbours on both sides stay unmapped: the first and the last page
// of a larger mapping, given back. The program must not make mappings without MAP_FIXED meanwhile.
static inline char *map_island(size_t pages, int protection) {
    char *start = map_pages(pages + 2, protection);
    munmap(start, PAGE);
    munmap(start + (pages + 1) * PAGE, PAGE);
    return start + PAGE;
}

// A new file "name" in the working directory, `pages` pages long, page i filled with 'a' + i.
static inline int file_of_pages(const char *name, size_t pages) {
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
    for (size_t i = 0; i < pages; i++) {
        char content[PAGE];
        memset(content, 'a' + (int)i, PAGE);
        if (write(fd, content, PAGE) != (ssize_t)PAGE) {
            check_print("FAIL file_of_pages(%s): %s\n", name, check_errno_name(errno));
            exit(1);
        }
    }
    return fd;
}

static inline int probe_pipe(int end) {
    static int ends[2] = {-1, -1};
    if (ends[0] < 0 && pipe(ends) != 0) {
        check_print("FAIL pipe: %s\n", check_errno_name(errno));
        exit(1);
    }
    return ends[end];
}

// Whether the kernel can read the byte: write(2) says EFAULT where the program would fault.
static inline bool readable(const void *byte) {
    char drain;
    if (write(probe_pipe(1), byte, 1) != 1)
        return false;
    return read(probe_pipe(0), &drain, 1) == 1;
}

// Whether the kernel can write the byte. Its value stays.
static inline bool writable(void *byte) {
    char drain;
    if (write(probe_pipe(1), byte, 1) != 1)
        return false;
    if (read(probe_pipe(0), byte, 1) == 1)
        return true;
    if (read(probe_pipe(0), &drain, 1) != 1)
        abort();
    return false;
}

// One letter a page: 'w' readable and writable, 'r' readable, '-' mapped without rights, '.' hole.
static inline const char *rights(char *start, size_t pages) {
    static char letters[65];
    for (size_t i = 0; i < pages; i++) {
        char *page = start + i * PAGE;
        letters[i] = writable(page)                     ? 'w'
                     : readable(page)                   ? 'r'
                     : msync(page, PAGE, MS_ASYNC) == 0 ? '-'
                                                        : '.';
    }
    letters[pages] = 0;
    return letters;
}

// Whether all bytes have one value.
static inline bool filled(const char *start, size_t length, char value) {
    for (size_t i = 0; i < length; i++)
        if (start[i] != value)
            return false;
    return true;
}

// Root is bound by limits and by mmap_min_addr like everybody else from here on.
static inline void drop_capabilities(void) {
    uint32_t header[2] = {0x20080522, 0}, none[6] = {0}; // capget(2), version 3, this thread
    if (syscall(SYS_capset, header, none) != 0) {
        check_print("FAIL capset: %s\n", check_errno_name(errno));
        exit(1);
    }
}

// xorshift64*: the same numbers on every machine.
static inline uint64_t next_random(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1d;
}

#endif
