// Pipes between children: a pipeline of four, data through all of it, end of file and SIGPIPE.
#include "check.h"
#include "process/process.h"

enum { STAGES = 4, BYTES = 300000 };

static void stage(int from, int to, int add) {
    unsigned char buffer[3000];
    for (ssize_t got; (got = read(from, buffer, sizeof buffer)) > 0;) {
        for (ssize_t i = 0; i < got; i++)
            buffer[i] = (unsigned char)(buffer[i] + add);
        for (ssize_t done = 0, wrote; done < got; done += wrote)
            if ((wrote = write(to, buffer + done, (size_t)(got - done))) < 0)
                _exit(9);
    }
    _exit(add);
}

static void produce(int to) {
    for (int i = 0; i < BYTES; i++) {
        unsigned char byte = (unsigned char)i;
        static unsigned char buffer[1000];
        buffer[i % 1000] = byte;
        if (i % 1000 == 999 && write(to, buffer, 1000) != 1000)
            _exit(9);
    }
    _exit(0);
}

int main(void) {
    int ends[STAGES + 1][2];
    pid_t pids[STAGES + 1];
    for (int i = 0; i <= STAGES; i++)
        CHECK_OK(pipe2(ends[i], O_CLOEXEC));
    for (int i = 0; i <= STAGES; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            int from = i > 0 ? ends[i - 1][0] : -1, to = ends[i][1];
            for (int j = 0; j <= STAGES; j++) {
                if (ends[j][0] != from)
                    close(ends[j][0]);
                if (ends[j][1] != to)
                    close(ends[j][1]);
            }
            if (i == 0)
                produce(to);
            stage(from, to, i);
        }
    }
    for (int i = 0; i <= STAGES; i++)
        close(ends[i][1]);
    long count = 0, wrong = 0;
    static unsigned char buffer[7777];
    for (ssize_t got; (got = read(ends[STAGES][0], buffer, sizeof buffer)) > 0; count += got)
        for (ssize_t i = 0; i < got; i++)
            wrong += buffer[i] != (unsigned char)(count + i + 1 + 2 + 3 + 4);
    CHECK_EQ(count, BYTES);
    CHECK_EQ(wrong, 0);
    for (int i = 0; i <= STAGES; i++)
        CHECK_EQ(code_of(wait_for(pids[i])), i);

    int broken[2];
    CHECK_OK(pipe(broken));
    close(broken[0]);
    CHECK_EQ(code_of(IN_CHILD((int)write(broken[1], "x", 1))), 1000 + SIGPIPE);
    return CHECK_DONE();
}
