// What gdb looks at: functions, a signal, system calls, threads, memory that changes.
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile int counter;
static volatile long spins;
static volatile int goes_on = 1;
static volatile double ratio = 0.5;

static void on_signal(int signal) { counter += signal; }

static int add(int a, int b) {
    counter++;
    return a + b;
}

static void *worker(void *count) {
    for (long i = 0; i < (long)count; i++)
        add((int)i, 1);
    return NULL;
}

static void *spin(void *nothing) {
    while (goes_on)
        spins++;
    return nothing;
}

static void rest(long milliseconds, int *result) {
    struct timespec time = {.tv_nsec = milliseconds * 1000000};
    *result = nanosleep(&time, NULL);
}

static void *sleep_and_poll(void *nothing) {
    int slept;
    rest(400, &slept);
    printf("slept %d, polled %d\n", slept, poll(NULL, 0, 400));
    return nothing;
}

// One thread stops again and again while another one waits.
static int stop_beside_sleep(void) {
    pthread_t thread;
    int slept;
    pthread_create(&thread, NULL, sleep_and_poll, NULL);
    for (int i = 0; i < 10; i++) {
        rest(50, &slept);
        add(i, slept);
    }
    pthread_join(thread, NULL);
    return 4;
}

int main(int argc, char **argv) {
    if (argc > 1 && !strcmp(argv[1], "sleep"))
        return stop_beside_sleep();
    signal(SIGUSR1, on_signal);
    printf("sum %d\n", add(2, 3));
    raise(SIGUSR1);
    write(1, "written\n", 8);
    pthread_t thread;
    pthread_create(&thread, NULL, worker, (void *)3);
    pthread_join(thread, NULL);
    char *text = strdup("hello");
    ratio = ratio * 3 + counter;
    printf("%s %d %.1f\n", text, counter, ratio);
    if (argc > 1) {
        pthread_create(&thread, NULL, spin, NULL);
        while (goes_on)
            spins++;
        pthread_join(thread, NULL);
    }
    free(text);
    return 3;
}
