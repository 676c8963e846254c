/* What a run of its own time and order must answer as Linux does. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/msg.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char big[1 << 20];

static void *drain(void *from)
{
    char bytes[65536];
    long all = 0;
    for (ssize_t len; (len = read(*(int *)from, bytes, sizeof bytes)) > 0;)
        all += len;
    return (void *)all;
}

static void transfer(const char *name, int ends[2], ssize_t (*put)(int))
{
    pthread_t reader;
    void *got;
    pthread_create(&reader, NULL, drain, &ends[0]);
    long put_in_all = put(ends[1]);
    close(ends[1]);
    pthread_join(reader, &got);
    printf("%s %ld, of which came %ld\n", name, put_in_all, (long)got);
    close(ends[0]);
}

static ssize_t put_vector(int fd)
{
    struct iovec parts[] = { { big, 100000 }, { big, 0 }, { big, 200000 }, { big, 1 } };
    return writev(fd, parts, 4);
}

static ssize_t put_send(int fd) { return send(fd, big, sizeof big, 0); }

static ssize_t put_message(int fd)
{
    struct iovec parts[] = { { big, 300000 }, { big, 300001 } };
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
    return sendmsg(fd, &message, 0);
}

static void limited_waits(void)
{
    struct timeval limit = { 0, 50000 };
    int ends[2], listener = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr any = { .sa_family = AF_UNIX };
    char byte;
    socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(ends[1], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    printf("recv %zd", recv(ends[0], &byte, 1, 0));
    printf(" %s\n", strerrorname_np(errno));
    while (send(ends[1], big, 65536, 0) > 0)
        ;
    printf("send %s\n", strerrorname_np(errno));
    bind(listener, &any, 2);
    listen(listener, 1);
    setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    printf("accept %d", accept(listener, NULL, NULL));
    printf(" %s\n", strerrorname_np(errno));
}

static int shared[2];

static void *send_rest(void *name)
{
    usleep(20000);
    send(shared[1], name, strlen(name), 0);
    return NULL;
}

static void *read_event(void *event)
{
    unsigned long value;
    usleep(20000);
    read(*(int *)event, &value, sizeof value);
    return NULL;
}

static int queue;

static void *send_message(void *unused)
{
    struct { long type; char text[4]; } message = { 1, "abc" };
    usleep(20000);
    msgsnd(queue, &message, 4, 0);
    return unused;
}

/* For more than there is, or more room than there is, until another thread makes it. */
static void waits_for_others(void)
{
    char bytes[2][16] = { "", "" };
    struct iovec parts[] = { { bytes[0], 15 }, { bytes[1], 15 } };
    struct mmsghdr messages[2] = { { .msg_hdr = { .msg_iov = &parts[0], .msg_iovlen = 1 } },
                                   { .msg_hdr = { .msg_iov = &parts[1], .msg_iovlen = 1 } } };
    pthread_t thread;
    socketpair(AF_UNIX, SOCK_STREAM, 0, shared);
    send(shared[1], "hello ", 6, 0);
    pthread_create(&thread, NULL, send_rest, "world");
    printf("all: %zd", recv(shared[0], bytes[0], 11, MSG_WAITALL));
    printf(" %s\n", bytes[0]);
    pthread_join(thread, NULL);
    socketpair(AF_UNIX, SOCK_DGRAM, 0, shared);
    send(shared[1], "one", 4, 0);
    pthread_create(&thread, NULL, send_rest, "two");
    printf("messages: %d\n", recvmmsg(shared[0], messages, 2, 0, NULL));
    pthread_join(thread, NULL);
    struct { long type; char text[4]; } message;
    queue = msgget(IPC_PRIVATE, 0600);
    pthread_create(&thread, NULL, send_message, NULL);
    printf("queue: %zd", msgrcv(queue, &message, 4, 0, 0));
    printf(" %s\n", message.text);
    pthread_join(thread, NULL);
    msgctl(queue, IPC_RMID, NULL);
    int event = eventfd(0, 0);
    unsigned long value = -2ul;
    write(event, &value, sizeof value);
    pthread_create(&thread, NULL, read_event, &event);
    value = 5;
    printf("event: %zd\n", write(event, &value, sizeof value));
    pthread_join(thread, NULL);
}

/* Of processes, in what files and sockets say. */
static void numbers(void)
{
    struct ucred peer;
    socklen_t len = sizeof peer;
    int ends[2], file = open("locked", O_CREAT | O_RDWR, 0600), status;
    socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    getsockopt(ends[0], SOL_SOCKET, SO_PEERCRED, &peer, &len);
    printf("the peer is %s\n", peer.pid == getpid() ? "itself" : "another");
    printf("F_SETOWN %d", fcntl(ends[0], F_SETOWN, getpid()));
    printf(" F_GETOWN %s\n", fcntl(ends[0], F_GETOWN) == getpid() ? "itself" : "another");
    struct flock lock = { .l_type = F_WRLCK, .l_len = 1 };
    fcntl(file, F_SETLK, &lock);
    fflush(stdout);
    if (fork() == 0) {
        fcntl(file, F_GETLK, &lock);
        printf("locked by %s\n", lock.l_pid == getppid() ? "the parent" : "another");
        lock.l_start = 5;
        fcntl(file, F_GETLK, &lock);
        printf("and behind that by %s\n", lock.l_type == F_UNLCK ? "nobody" : "somebody");
        fflush(stdout);
        _exit(0);
    }
    wait(&status);
}

int main(void)
{
    int ends[2];
    pipe(ends);
    transfer("writev", ends, put_vector);
    socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    transfer("send", ends, put_send);
    socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    transfer("sendmsg", ends, put_message);
    limited_waits();
    waits_for_others();

    struct rusage usage;
    printf("getrusage %d", getrusage(99, &usage));
    printf(" %s\n", strerrorname_np(errno));
    struct timespec moment = { 0, 1 };
    for (int clock = CLOCK_MONOTONIC_RAW; clock <= CLOCK_MONOTONIC_COARSE; clock++)
        printf("clock_nanosleep %s\n", strerrorname_np(clock_nanosleep(clock, 0, &moment, NULL)));
    struct timeval rest = { 0, 20000 };
    printf("select %d", select(0, NULL, NULL, NULL, &rest));
    printf(" leaves %ld.%06ld\n", rest.tv_sec, rest.tv_usec);
    char name[64] = "", expected[64];
    sprintf(expected, "%d", getpid());
    readlink("/proc/self", name, sizeof name);
    printf("/proc/self is %s\n", strcmp(name, expected) == 0 ? "its number" : name);
    numbers();
    return 0;
}
