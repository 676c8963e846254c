// Segments of tens of MiB, under RLIMIT_AS, and one that holds code.
#include "check.h"

#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>

int main(void) {
    int segment = CHECK_OK(shmget(IPC_PRIVATE, 24 << 20, 0600));
    char *at[8];
    for (int i = 0; i < 8; i++) {
        at[i] = shmat(segment, NULL, 0);
        if (at[i] == (void *)-1)
            NOTE("attachment %d: %m", i);
    }
    for (int i = 0; i < 24 << 20; i += 4096)
        at[i / 4096 % 8][i] = i / 4096;
    int wrong = 0;
    for (int i = 0; i < 24 << 20; i += 4096)
        wrong += at[(i / 4096 + 3) % 8][i] != (char)(i / 4096);
    CHECK_EQ(wrong, 0);
    for (int i = 0; i < 8; i++)
        wrong += shmdt(at[i]) != 0;
    CHECK_EQ(wrong, 0);
    struct rlimit limit = {32 << 20, RLIM_INFINITY};
    CHECK_OK(setrlimit(RLIMIT_AS, &limit));
    char *one = CHECK_OK(shmat(segment, NULL, 0));
    CHECK_ERR(shmat(segment, NULL, 0), ENOMEM);
    CHECK_OK(shmdt(one));
    CHECK_OK(shmctl(segment, IPC_RMID, NULL));

    int code = CHECK_OK(shmget(IPC_PRIVATE, 4096, 0700));
    unsigned char *writer = CHECK_OK(shmat(code, NULL, 0));
    memcpy(writer, "\xb8\x2a\0\0\0\xc3", 6); // mov $42, %eax; ret
    void *runner = shmat(code, NULL, SHM_EXEC | SHM_RDONLY);
    CHECK(runner != (void *)-1 || errno == EPERM || errno == EACCES);
    NOTE("SHM_EXEC: %s", runner == (void *)-1 ? "refused" : "allowed");
    if (runner != (void *)-1) {
        CHECK_EQ(((int (*)(void))runner)(), 42);
        writer[1] = 43;
        CHECK_EQ(((int (*)(void))runner)(), 43);
    }
    CHECK_OK(shmctl(code, IPC_RMID, NULL));
    return CHECK_DONE();
}
