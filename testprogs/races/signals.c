// cflags: -pthread
// A storm of real-time signals with values, to the process and to its threads, from threads and from a
// child, while the threads compute and make calls: none is lost, none comes twice, and those of one
// sender to one thread come in their order.
#include "check.h"
#include "races/races.h"

#define RECEIVERS 3
#define SENDERS 3
#define COUNT 150
#define TO_PROCESS SIGRTMIN
#define TO_THREAD (SIGRTMIN + 1)

static atomic_uchar *seen_by_process, (*seen_by_thread)[SENDERS * COUNT];
static atomic_int received, started, tids[RECEIVERS], last[RECEIVERS][SENDERS];
static atomic_bool stop;
static __thread int own = -1;
static pid_t process;

static void on_process_signal(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    int value = info->si_value.sival_int;
    REQUIRE(value >= 0 && value < SENDERS * COUNT && info->si_code == SI_QUEUE);
    REQUIRE(seen_by_process[value]++ == 0);
    received++;
}

static void on_thread_signal(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    int value = info->si_value.sival_int, sender = value / COUNT;
    REQUIRE(own >= 0 && value >= 0 && value < SENDERS * COUNT && info->si_code == SI_QUEUE);
    REQUIRE(seen_by_thread[own][value]++ == 0);
    // The handler blocks both signals, so that they come one after the other.
    REQUIRE(value % COUNT >= last[own][sender]);
    last[own][sender] = value % COUNT;
    received++;
}

static void *receive(void *arg) {
    own = (int)(long)arg;
    tids[own] = gettid();
    started++;
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    for (long turn = 0; !stop; turn++) {
        char byte = (char)turn;
        if (turn % 3 == own) {
            REQUIRE(write(ends[1], &byte, 1) == 1);
            byte = 0;
            REQUIRE(read(ends[0], &byte, 1) == 1 && byte == (char)turn);
        }
        for (volatile int i = 0; i < 200; i++)
            ;
    }
    close(ends[0]);
    close(ends[1]);
    return NULL;
}

// When too many are queued, the kernel says so, and the sender tries again.
static void queue(pid_t tid, int signal, int value) {
    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_signo = signal;
    info.si_code = SI_QUEUE;
    info.si_pid = getpid();
    info.si_uid = getuid();
    info.si_value.sival_int = value;
    while (syscall(SYS_rt_tgsigqueueinfo, process, tid, signal, &info) != 0) {
        REQUIRE(errno == EAGAIN);
        sched_yield();
    }
}

static void send(int sender) {
    for (int i = 0; i < COUNT; i++) {
        int value = sender * COUNT + i;
        while (sigqueue(process, TO_PROCESS, (union sigval){.sival_int = value}) != 0) {
            REQUIRE(errno == EAGAIN);
            sched_yield();
        }
        for (int thread = 0; thread < RECEIVERS; thread++)
            queue(tids[thread], TO_THREAD, value);
    }
}

static void block(int how) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, TO_PROCESS);
    sigaddset(&set, TO_THREAD);
    REQUIRE(pthread_sigmask(how, &set, NULL) == 0);
}

static void *send_from_thread(void *arg) {
    block(SIG_BLOCK);
    send((int)(long)arg);
    return NULL;
}

static void storm(void) {
    process = getpid();
    stop = false;
    received = started = 0;
    memset((void *)seen_by_process, 0, SENDERS * COUNT);
    memset((void *)seen_by_thread, 0, RECEIVERS * SENDERS * COUNT);
    memset((void *)last, 0, sizeof last);
    pthread_t receivers[RECEIVERS], senders[SENDERS];
    for (long i = 0; i < RECEIVERS; i++)
        receivers[i] = start(receive, (void *)i);
    while (started < RECEIVERS)
        sched_yield();
    pid_t child = fork();
    if (child == 0) {
        block(SIG_BLOCK);
        send(0);
        _exit(3);
    }
    for (long i = 1; i < SENDERS; i++)
        senders[i] = start(send_from_thread, (void *)i);
    // This thread takes part in it, and its waits are interrupted.
    int status;
    while (waitpid(child, &status, 0) < 0)
        REQUIRE(errno == EINTR);
    REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 3);
    for (int i = 1; i < SENDERS; i++)
        join(senders[i]);
    while (received < SENDERS * COUNT * (1 + RECEIVERS))
        sched_yield();
    stop = true;
    for (int i = 0; i < RECEIVERS; i++)
        join(receivers[i]);
}

int main(int argc, char **argv) {
    seen_by_process = malloc(SENDERS * COUNT);
    seen_by_thread = malloc(RECEIVERS * SENDERS * COUNT);
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_RESTART};
    sigfillset(&action.sa_mask);
    action.sa_sigaction = on_process_signal;
    REQUIRE(sigaction(TO_PROCESS, &action, NULL) == 0);
    action.sa_sigaction = on_thread_signal;
    REQUIRE(sigaction(TO_THREAD, &action, NULL) == 0);
    while (next_round(argc, argv))
        storm();
    return races_done();
}
