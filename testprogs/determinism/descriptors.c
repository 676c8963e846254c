/* A descriptor is always the lowest free one, however many threads wait meanwhile. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { THREADS = 60 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t end = PTHREAD_COND_INITIALIZER;
static int is_over;

static void *wait_for_end(void *nothing)
{
    pthread_mutex_lock(&lock);
    while (!is_over) {
        pthread_cond_wait(&end, &lock);
    }
    pthread_mutex_unlock(&lock);
    return nothing;
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 0;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, wait_for_end, NULL);
    }
    int first = open("/dev/null", O_RDONLY), others = 0;
    close(first);
    for (int i = 0; i < rounds; i++) {
        int fd = open("/dev/null", O_RDONLY);
        others += fd != first;
        close(fd);
    }
    pthread_mutex_lock(&lock);
    is_over = 1;
    pthread_cond_broadcast(&end);
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    printf("first %d, others %d\n", first, others);
    return 0;
}
