// 64 MiB touched, then mmap, munmap, mprotect and mremap in parent and child at once: stale translations would show.
#include "check.h"
#include "process/process.h"

enum { PAGE = 4096, MIB = 1 << 20, BIG = 64 * MIB, SLOTS = 24, ROUNDS = 400 };

// What each page of the large mapping must hold.
static unsigned char expected[BIG / PAGE];

static unsigned next(unsigned *seed) { return *seed = *seed * 1103515245 + 12345, *seed >> 8; }

// Returns the number of wrong words seen.
static int storm(char *big, unsigned seed, unsigned char mark) {
    char *slots[SLOTS] = {NULL};
    size_t lengths[SLOTS] = {0};
    int wrong = 0;
    for (int round = 0; round < ROUNDS; round++) {
        unsigned i = next(&seed) % SLOTS;
        if (slots[i] != NULL) {
            for (size_t at = 0; at < lengths[i]; at += PAGE)
                wrong += (unsigned char)slots[i][at] != (unsigned char)(mark + i);
            switch (next(&seed) % 4) {
            case 0:
                munmap(slots[i], lengths[i]);
                slots[i] = NULL;
                break;
            case 1:
                mprotect(slots[i], lengths[i], PROT_READ);
                wrong += (unsigned char)slots[i][0] != (unsigned char)(mark + i);
                mprotect(slots[i], lengths[i], PROT_READ | PROT_WRITE);
                slots[i][lengths[i] - PAGE] = (char)(mark + i);
                break;
            case 2:
                madvise(slots[i], lengths[i], MADV_DONTNEED);
                for (size_t at = 0; at < lengths[i]; at += PAGE) {
                    wrong += slots[i][at] != 0;
                    slots[i][at] = (char)(mark + i);
                }
                break;
            default:
                slots[i] = mremap(slots[i], lengths[i], lengths[i], MREMAP_MAYMOVE);
            }
        } else {
            lengths[i] = (1 + next(&seed) % 300) * PAGE;
            slots[i] = mmap(NULL, lengths[i], PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            for (size_t at = 0; at < lengths[i]; at += PAGE) {
                wrong += slots[i][at] != 0;
                slots[i][at] = (char)(mark + i);
            }
        }
        size_t page = next(&seed) % (BIG / PAGE);
        wrong += (unsigned char)big[page * PAGE] != expected[page];
        big[page * PAGE] = (char)(expected[page] = (unsigned char)(mark + page));
    }
    for (size_t page = 0; page < BIG / PAGE; page++)
        wrong += (unsigned char)big[page * PAGE] != expected[page];
    return wrong;
}

int main(void) {
    char *big = mmap(NULL, BIG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t page = 0; page < BIG / PAGE; page++)
        big[page * PAGE] = (char)(expected[page] = (unsigned char)page);
    pid_t pids[3];
    for (int i = 0; i < 3; i++) {
        pids[i] = CHECKED_FORK();
        if (pids[i] == 0)
            _exit(storm(big, 17u + (unsigned)i, (unsigned char)(60 * i)) != 0);
        CHECK_EQ(storm(big, 90u + (unsigned)i, (unsigned char)(200 + i)), 0);
    }
    for (int i = 0; i < 3; i++)
        CHECK_EQ(code_of(wait_for(pids[i])), 0);

    // What one of them has unmapped is still there in the other.
    pid_t pid = CHECKED_FORK();
    if (pid == 0) {
        munmap(big, BIG);
        char *other = mmap(big, BIG, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        int sum = 0;
        for (size_t at = 0; at < BIG; at += PAGE)
            sum |= other[at];
        _exit(sum);
    }
    big[5] = 55;
    CHECK_EQ(code_of(wait_for(pid)), 0);
    CHECK_EQ(big[5], 55);
    CHECK_OK(munmap(big, BIG));
    CHECK_EQ(code_of(IN_CHILD(*(volatile char *)big)), 1000 + SIGSEGV);
    return CHECK_DONE();
}
