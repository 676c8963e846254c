/* What of the processor's state a signal handler finds in its frame. */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>

static void on_signal(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)info;
    const unsigned char *image = (void *)((ucontext_t *)context)->uc_mcontext.fpregs;
    uint32_t magic, len;
    uint64_t features;
    memcpy(&magic, image + 464, 4);
    memcpy(&len, image + 480, 4);
    memcpy(&features, image + 472, 8);
    if (magic == 0x46505853) {
        printf("features %lx in %s bytes\n", features, len > 512 ? "more than 512" : "too few");
    } else {
        printf("512 bytes\n");
    }
}

int main(void)
{
    struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
    sigaction(SIGUSR1, &action, NULL);
    __asm__ volatile("pcmpeqd %%xmm5, %%xmm5" ::: "xmm5");
    raise(SIGUSR1);
    uint64_t low;
    __asm__ volatile("movq %%xmm5, %0" : "=r"(low));
    printf("kept %d\n", low == UINT64_MAX);
    return 0;
}
