// shmat(2) and shmdt(2): places, flags, counts of attachments, pieces, removal.
#include "check.h"

#include <signal.h>
#include <setjmp.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/wait.h>

static int segment;

static long attached(void) {
    struct shmid_ds status;
    return shmctl(segment, IPC_STAT, &status) == 0 ? (long)status.shm_nattch : -1;
}

static sigjmp_buf back;

static void on_fault(int signal) {
    (void)signal;
    siglongjmp(back, 1);
}

static bool faults(volatile char *at, bool is_write) {
    if (sigsetjmp(back, 1))
        return true;
    if (is_write)
        *at = 1;
    else
        (void)*at;
    return false;
}

int main(void) {
    struct sigaction action = {.sa_handler = on_fault};
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    segment = CHECK_OK(shmget(IPC_PRIVATE, 5 * 4096 - 100, IPC_CREAT | 0600));
    CHECK_EQ(attached(), 0);
    char *first = CHECK_OK(shmat(segment, NULL, 0)), *second = CHECK_OK(shmat(segment, NULL, 0));
    CHECK(first != second && ((long)first & 4095) == 0);
    CHECK_EQ(attached(), 2);
    strcpy(first + 4096, "seen by both");
    CHECK_STR(second + 4096, "seen by both");
    CHECK_EQ(first[5 * 4096 - 1], 0);

    // Read-only stays read-only.
    char *read_only = CHECK_OK(shmat(segment, NULL, SHM_RDONLY));
    CHECK_STR(read_only + 4096, "seen by both");
    CHECK(faults(read_only, true) && !faults(read_only, false) && !faults(first, true));
    CHECK_ERR(mprotect(read_only, 4096, PROT_READ | PROT_WRITE), EACCES);
    CHECK_OK(mprotect(first, 5 * 4096, PROT_READ));
    CHECK(faults(first, true));
    CHECK_OK(mprotect(first, 5 * 4096, PROT_READ | PROT_WRITE));
    CHECK(!faults(first, true));
    CHECK_OK(shmdt(read_only));
    CHECK(faults(read_only, false));
    CHECK_EQ(attached(), 2);

    // Where it goes.
    char *room = mmap(NULL, 32 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK_ERR(shmat(segment, room, 0), EINVAL);
    CHECK_EQ(shmat(segment, room, SHM_REMAP), room);
    CHECK_STR(room + 4096, "seen by both");
    CHECK(faults(room + 5 * 4096, false));
    CHECK_OK(munmap(room + 8 * 4096, 16 * 4096));
    CHECK_EQ(shmat(segment, room + 8 * 4096, 0), room + 8 * 4096);
    CHECK_ERR(shmat(segment, room + 8 * 4096 + 1, 0), EINVAL);
    CHECK_ERR(shmat(segment, room + 7 * 4096 + 5, SHM_RND), EINVAL);
    CHECK_EQ(shmat(segment, room + 14 * 4096 + 5, SHM_RND), room + 14 * 4096);
    CHECK_EQ(attached(), 5);
    CHECK_ERR(shmat(segment, NULL, SHM_REMAP), EINVAL);
    CHECK_ERR(shmat(segment, (void *)10, SHM_RND | SHM_REMAP), EINVAL);
    CHECK_ERR(shmat(-1, NULL, 0), EINVAL);
    CHECK_ERR(shmat(0x7fffffff, NULL, 0), EINVAL);
    CHECK_ERR(shmdt(NULL), EINVAL);
    CHECK_ERR(shmdt(room + 14 * 4096 + 1), EINVAL);
    CHECK_ERR(shmdt(room + 9 * 4096), EINVAL);
    CHECK_OK(shmdt(room + 14 * 4096));
    CHECK_ERR(shmdt(room + 14 * 4096), EINVAL);
    CHECK_OK(shmdt(room + 8 * 4096));

    // A hole in the middle makes two attachments of one; shmdt finds both.
    CHECK_OK(munmap(room + 2 * 4096, 4096));
    CHECK_EQ(attached(), 4);
    CHECK_OK(shmdt(room));
    CHECK_EQ(attached(), 2);
    CHECK(faults(room + 4096, false) && faults(room + 3 * 4096, false));
    CHECK_OK(munmap(second, 4096));
    CHECK_OK(shmdt(second));
    CHECK_EQ(attached(), 1);
    // The end of another attachment, moved to where the end of this one was, is not its own.
    second = CHECK_OK(shmat(segment, NULL, 0));
    char *third = CHECK_OK(shmat(segment, NULL, 0));
    CHECK_OK(munmap(second + 2 * 4096, 3 * 4096));
    char *end = mremap(third + 2 * 4096, 3 * 4096, 3 * 4096, MREMAP_MAYMOVE | MREMAP_FIXED, second + 2 * 4096);
    CHECK(end == second + 2 * 4096);
    CHECK_EQ(attached(), 4);
    CHECK_OK(shmdt(second));
    CHECK_EQ(attached(), 3);
    CHECK(faults(second, false) && !faults(end, false));
    CHECK_OK(munmap(end, 3 * 4096));
    CHECK_OK(shmdt(third));
    CHECK_EQ(attached(), 1);
    CHECK_OK(munmap(first, 5 * 4096));
    CHECK_EQ(attached(), 0);
    CHECK_ERR(shmdt(first), EINVAL);

    // System calls reach it, a child inherits it, and removal waits for the last one.
    first = CHECK_OK(shmat(segment, NULL, 0));
    int ends[2];
    CHECK_OK(pipe(ends));
    CHECK_EQ(write(ends[1], first + 4096, 12), 12);
    CHECK_EQ(read(ends[0], first + 100, 12), 12);
    CHECK(memcmp(first + 100, "seen by both", 12) == 0);
    CHECK_OK(shmctl(segment, IPC_RMID, NULL));
    pid_t child = fork();
    if (child == 0) {
        first[0] = attached() == 2 ? 'c' : 'x';
        _exit(shmdt(first) != 0 || attached() != 1);
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    CHECK_EQ(first[0], 'c');
    struct shmid_ds about;
    CHECK_OK(shmctl(segment, IPC_STAT, &about));
    CHECK(about.shm_segsz == 5 * 4096 - 100 && about.shm_nattch == 1 && about.shm_cpid == getpid());
    CHECK((about.shm_perm.mode & 01000) != 0);
    char *moved = mremap(first, 5 * 4096, 5 * 4096, MREMAP_MAYMOVE | MREMAP_FIXED, room + 16 * 4096);
    CHECK(moved == room + 16 * 4096 && moved[0] == 'c' && faults(first, false));
    CHECK_OK(shmdt(moved));
    CHECK_ERR(shmctl(segment, IPC_STAT, &about), EINVAL);
    CHECK_ERR(shmat(segment, NULL, 0), EINVAL);
    return CHECK_DONE();
}
