// What gdb goes back in: calls of a function, output, a wild pointer with `crash`, threads with `threads`.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct node {
    struct node *next;
    int value;
};

static int counter;
static struct node *list;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int add(int a, int b) {
    counter++;
    int sum = a + b;
    return sum;
}

static void push(int value) {
    struct node *node = malloc(sizeof *node);
    node->value = value;
    node->next = list;
    list = node;
}

static void corrupt(void) {
    list->next->next = (struct node *)16;
}

static int sum(void) {
    int sum = 0;
    for (struct node *node = list; node; node = node->next)
        sum += node->value;
    return sum;
}

static void note(int who, int round) {
    pthread_mutex_lock(&lock);
    counter += who * 10 + round;
    pthread_mutex_unlock(&lock);
}

static void *worker(void *who) {
    for (int round = 0; round < 3; round++) {
        note((int)(long)who, round);
        printf("%ld %d\n", (long)who, round);
    }
    return NULL;
}

static void run_threads(void) {
    pthread_t threads[3];
    for (long i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, worker, (void *)(i + 1));
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    printf("counter %d at %ld.%09ld\n", counter, (long)now.tv_sec, now.tv_nsec);
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "threads") == 0) {
        run_threads();
        return 0;
    }
    if (argc > 1) {
        for (int i = 0; i < 4; i++)
            push(i);
        printf("sum %d\n", sum());
        fflush(stdout);
        corrupt();
        return sum();
    }
    int total = 0;
    for (int i = 0; i < 5; i++) {
        total = add(total, i);
        printf("%d %d\n", i, total);
        fflush(stdout);
    }
    write(1, "end\n", 4);
    return 3;
}
