/* What a debugger changes while it is stopped: where it goes on, and with which signal; signals that its
   threads send to themselves. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { THREADS = 4 };

static int value, *volatile place;
static volatile int handled;

static void on_signal(int signal)
{
    (void)signal;
    place = &value;
    __sync_fetch_and_add(&handled, 1);
}

static void nops(void)
{
    __asm__ volatile(".globl first_nop\nfirst_nop: nop; nop; nop; nop; nop");
}

static void *send(void *arg)
{
    pthread_kill(pthread_self(), SIGUSR2);
    return arg;
}

int main(int argc, char **argv)
{
    signal(SIGUSR1, on_signal);
    signal(SIGUSR2, on_signal);
    if (argc > 1 && strcmp(argv[1], "threads") == 0) {
        pthread_t threads[THREADS];
        for (int i = 0; i < THREADS; i++)
            pthread_create(&threads[i], NULL, send, NULL);
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
    } else if (argc > 1) {
        raise(SIGUSR1);
    } else {
        nops();
        *place = 7;
    }
    printf("%d handled, %d\n", handled, value);
    return 0;
}
