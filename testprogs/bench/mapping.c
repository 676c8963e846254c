// Changes of the address space: each operation leaves it as it was, but for brk, which grows.
#define _GNU_SOURCE
#include "bench/bench.h"

#include <sys/mman.h>
#include <unistd.h>

static const size_t len = 16 * 4096;

// Maps 64 KiB, writes to one page, unmaps it.
static void map_and_unmap(long rounds) {
    for (long i = 0; i < rounds; i++) {
        char *memory = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        require(memory != MAP_FAILED);
        memory[0] = 1;
        require(munmap(memory, len) == 0);
    }
}

// Takes the right to write from 64 KiB that are in use and gives it back; one page is written after each.
static void protect(long rounds) {
    char *memory = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    require(memory != MAP_FAILED);
    memset(memory, 1, len);
    for (long i = 0; i < rounds; i++) {
        require(mprotect(memory, len, PROT_READ) == 0);
        require(mprotect(memory, len, PROT_READ | PROT_WRITE) == 0);
        memory[i % 16 * 4096] = 2;
    }
}

// Grows the program break by 64 KiB and writes to one page of it.
static void grow_break(long rounds) {
    for (long i = 0; i < rounds; i++) {
        char *memory = sbrk((intptr_t)len);
        require(memory != (char *)-1);
        memory[0] = 1;
    }
}

int main(int argc, char **argv) {
    static const struct operation operations[] = {
        {"mmap", map_and_unmap}, {"mprotect", protect}, {"brk", grow_break}, {0}};
    return measure(operations, argc, argv);
}
