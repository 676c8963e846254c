/* Waits for another thread without a system call. */
#include <pthread.h>
#include <unistd.h>

static volatile int is_set;

static void *set(void *arg)
{
    usleep(1000);
    is_set = 1;
    return arg;
}

int main(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, set, NULL);
    while (!is_set)
        ;
    return 0;
}
