/* Waits for another thread without a system call; with an argument, in a child. */
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int is_set;

static void *set(void *arg)
{
    usleep(1000);
    is_set = 1;
    return arg;
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1 && fork() != 0) {
        int status = -1;
        wait(&status);
        printf("%x\n", status);
        return 0;
    }
    pthread_t thread;
    pthread_create(&thread, NULL, set, NULL);
    while (!is_set)
        ;
    return 0;
}
