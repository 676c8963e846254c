/* Threads that exclude each other by a lock that is taken in a loop, without a system call, and wait for a turn alike. */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static int lock, turn;
static char order[5];

static void *work(void *arg)
{
    int number = *(int *)arg;
    while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE)) {
    }
    usleep(1000);
    order[turn++] = (char)('a' + number);
    __atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
    return NULL;
}

int main(void)
{
    pthread_t threads[2];
    int numbers[2] = { 0, 1 };
    for (int i = 0; i < 2; i++) {
        pthread_create(&threads[i], NULL, work, &numbers[i]);
    }
    while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) < 2) {
        __builtin_ia32_pause();
    }
    printf("%s\n", order);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
    return 0;
}
