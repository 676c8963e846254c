// cflags: -pthread
// /proc/self/task lists this program's threads, and status and stat count them.
#include "self.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static pthread_barrier_t started, end;
static int ids[3];

static void *work(void *arg) {
    int number = (int)(long)arg;
    ids[number] = syscall(SYS_gettid);
    prctl(PR_SET_NAME, number == 0 ? "first" : "other");
    if (number == 1) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGUSR1);
        pthread_sigmask(SIG_BLOCK, &set, NULL);
        char *status = read_whole("/proc/thread-self/status");
        CHECK(strstr(status, "\nSigBlk:\t0000000000000200\n") != NULL);
        CHECK_EQ(number_in("/proc/thread-self/status", "Pid"), ids[1]);
        CHECK_EQ(number_in("/proc/thread-self/status", "Tgid"), getpid());
        struct mapping m;
        CHECK(find_mapping(&m, &m) && strcmp(m.rights, "rw-p") == 0);
        free(status);
    }
    pthread_barrier_wait(&started);
    pthread_barrier_wait(&end);
    return NULL;
}

static int listed(void) {
    DIR *dir = opendir("/proc/self/task");
    int n = 0;
    for (struct dirent *entry; (entry = readdir(dir));)
        n += entry->d_name[0] != '.';
    closedir(dir);
    return n;
}

int main(void) {
    pthread_t threads[3];
    pthread_barrier_init(&started, NULL, 4);
    pthread_barrier_init(&end, NULL, 4);
    for (long i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, work, (void *)i);
    pthread_barrier_wait(&started);
    CHECK_EQ(listed(), 4);
    CHECK_EQ(number_in("/proc/self/status", "Threads"), 4);
    char path[64];
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "/proc/self/task/%d/comm", ids[i]);
        char *name = read_whole(path);
        CHECK_STR(name, i == 0 ? "first\n" : "other\n");
        free(name);
        snprintf(path, sizeof path, "/proc/self/task/%d/status", ids[i]);
        char *status = read_whole(path);
        CHECK(strstr(status, i == 1 ? "\nSigBlk:\t0000000000000200\n" : "\nSigBlk:\t0000000000000000\n") != NULL);
        free(status);
        snprintf(path, sizeof path, "/proc/self/task/%d/exe", ids[i]);
        char own[4096] = "", of_thread[4096] = "";
        CHECK(readlink("/proc/self/exe", own, sizeof own - 1) > 0);
        CHECK(readlink(path, of_thread, sizeof of_thread - 1) > 0 && strcmp(own, of_thread) == 0);
        snprintf(path, sizeof path, "/proc/self/task/%d/maps", ids[i]);
        struct mapping m;
        char *maps = read_whole(path);
        CHECK(find_in(maps, &m, &m) && strcmp(m.name, "[stack]") == 0);
        free(maps);
    }
    pthread_barrier_wait(&end);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    // The kernel takes a thread off its lists a little after those who wait for it go on.
    for (int i = 0; i < 1000 && listed() > 1; i++)
        usleep(1000);
    CHECK_EQ(listed(), 1);
    CHECK_EQ(number_in("/proc/self/status", "Threads"), 1);
    return CHECK_DONE();
}
