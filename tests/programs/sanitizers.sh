# Programs with the checks of AddressSanitizer, ThreadSanitizer and UndefinedBehaviorSanitizer, which lay out terabytes.
# needs gcc g++
# seconds 120
# only ci
cat >program.c <<'END'
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
static int shared;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void *careful(void *unused) {
    for (int i = 0; i < 1000; i++) {
        pthread_mutex_lock(&lock);
        shared++;
        pthread_mutex_unlock(&lock);
    }
    return unused;
}
static void *careless(void *unused) {
    for (int i = 0; i < 1000; i++)
        shared++;
    return unused;
}
static void both(void *(*run)(void *)) {
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, run, NULL);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
}
int main(int argc, char **argv) {
    char *volatile heap = malloc(10);
    volatile int number = argc > 1 ? atoi(argv[1]) : 0, big = 0x7fffffff;
    memset(heap, 'x', 10);
    switch (number) {
    case 0: both(careful); printf("fine %d\n", shared); break;
    case 1: printf("%c\n", heap[number * 10]); break;
    case 2: free(heap); printf("%c\n", heap[2]); break;
    case 3: printf("%d\n", big + number); break;
    case 4: printf("%d\n", 1 << (number * 10)); break;
    case 5: both(careless); puts("careless"); break;
    case 6: if (fork() == 0) { both(careful); exit(4); } int status; wait(&status); printf("child %d\n", WEXITSTATUS(status)); break;
    case 7: *(volatile int *)(long)(number - 7) = 1; break;
    case 8: free(heap); free(heap); break;
    case 9: both(careful); heap = 0; break;
    }
    if (number != 2 && number != 8)
        free(heap);
    return 0;
}
END
# What is wrong and where, without addresses and pids.
summary() { sed -n -e 's/^SUMMARY: \(.*\)/\1/p' -e 's/.*runtime error: /runtime error: /p' -e '/^fine/p' -e '/^child/p' -e '/^careless/p' | sed 's/0x[0-9a-f]*/ADDRESS/g;s:/[^ ]*/::'; }
for check in address thread undefined; do
    gcc -g -O1 -w -fsanitize=$check -o $check program.c || exit
    for number in 0 1 2 3 4 5 6 7 8 9; do
        case $check-$number in thread-[13479] | address-[345] | undefined-[125789]) continue ;; esac
        { ./$check $number 2>&1; echo "status $?" >&2; } 2>status | summary
        cat status | grep status
    done
done
rm -f address thread undefined status
