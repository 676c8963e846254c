// io_setup(2), io_submit(2), io_getevents(2), io_cancel(2), io_destroy(2): requests, their order in errors, completions.
#include "check.h"

#include <fcntl.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

static aio_context_t context;
static struct io_event events[16];

static struct iocb request(int operation, int fd, void *buffer, size_t len, long offset) {
    return (struct iocb){.aio_lio_opcode = operation, .aio_fildes = fd, .aio_buf = (uint64_t)buffer,
                         .aio_nbytes = len, .aio_offset = offset, .aio_data = 0x1234567890 + operation};
}

static long submit(struct iocb *one) {
    return syscall(SYS_io_submit, context, 1, &one);
}

static long wait_for(long least, long most) {
    struct timespec limit = {20, 0};
    memset(events, 0, sizeof events);
    return syscall(SYS_io_getevents, context, least, most, events, &limit);
}

int main(void) {
    if (syscall(SYS_io_setup, 1, &context) == -1 && errno == ENOSYS) {
        NOTE("this kernel has no asynchronous I/O");
        return 0;
    }
    CHECK(context != 0);
    CHECK_ERR(syscall(SYS_io_setup, 8, &context), EINVAL);
    CHECK_OK(syscall(SYS_io_destroy, context));
    CHECK_ERR(syscall(SYS_io_destroy, context), EINVAL);
    context = 0;
    CHECK_ERR(syscall(SYS_io_setup, 0, &context), EINVAL);
    CHECK_ERR(syscall(SYS_io_setup, 8, (void *)8), EFAULT);
    CHECK_OK(syscall(SYS_io_setup, 16, &context));
    int fd = open("file", O_RDWR | O_CREAT | O_EXCL, 0600);

    char out[8192], in[8192];
    for (int i = 0; i < 8192; i++)
        out[i] = i * 7;
    struct iocb store = request(IOCB_CMD_PWRITE, fd, out, sizeof out, 0);
    CHECK_EQ(submit(&store), 1);
    CHECK_EQ(wait_for(1, 4), 1);
    CHECK(events[0].obj == (uint64_t)&store && events[0].data == store.aio_data && events[0].res == 8192);
    struct iovec pieces[2] = {{in, 4096}, {in + 4096, 4096}};
    struct iocb load = request(IOCB_CMD_PREADV, fd, pieces, 2, 0), sync = request(IOCB_CMD_FSYNC, fd, NULL, 0, 0);
    struct iocb *both[2] = {&load, &sync};
    CHECK_EQ(syscall(SYS_io_submit, context, 2, both), 2);
    CHECK_EQ(wait_for(2, 16), 2);
    int first = events[0].obj == (uint64_t)&load ? 0 : 1;
    CHECK(events[first].obj == (uint64_t)&load && events[first].res == 8192 && memcmp(in, out, 8192) == 0);
    CHECK(events[!first].obj == (uint64_t)&sync && events[!first].res == 0);
    load = request(IOCB_CMD_PREAD, fd, in, 100, 8000);
    int event_fd = eventfd(0, EFD_NONBLOCK);
    load.aio_flags = IOCB_FLAG_RESFD;
    load.aio_resfd = event_fd;
    CHECK_EQ(submit(&load), 1);
    CHECK_EQ(wait_for(1, 1), 1);
    CHECK(events[0].res == 100 && memcmp(in, out + 8000, 100) == 0);
    uint64_t told = 0;
    CHECK(read(event_fd, &told, 8) == 8 && told == 1);

    // What is wrong, in the kernel's order.
    CHECK_EQ(syscall(SYS_io_submit, context, 0, NULL), 0);
    CHECK_ERR(syscall(SYS_io_submit, context, -1L, NULL), EINVAL);
    CHECK_ERR(syscall(SYS_io_submit, 0, 1, NULL), EINVAL);
    CHECK_ERR(syscall(SYS_io_submit, context, 1, NULL), EFAULT);
    CHECK_ERR(submit((struct iocb *)8), EFAULT);
    load = request(IOCB_CMD_PREAD, -1, in, 100, 0);
    CHECK_ERR(submit(&load), EBADF);
    load = request(77, fd, in, 100, 0);
    CHECK_ERR(submit(&load), EINVAL);
    load = request(IOCB_CMD_PREAD, fd, in, 100, 0);
    load.aio_reserved2 = 1;
    CHECK_ERR(submit(&load), EINVAL);
    load = request(IOCB_CMD_PREADV, fd, (void *)8, 1, 0);
    CHECK_ERR(submit(&load), EFAULT);
    struct iocb good = request(IOCB_CMD_PREAD, fd, in, 10, 0);
    both[0] = &good;
    both[1] = (struct iocb *)8;
    CHECK_EQ(syscall(SYS_io_submit, context, 2, both), 1);
    CHECK_EQ(wait_for(1, 2), 1);
    CHECK(events[0].obj == (uint64_t)&good && events[0].res == 10);
    char *gone = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    load = request(IOCB_CMD_PREAD, fd, gone, 100, 0);
    CHECK(submit(&load) == 1 && wait_for(1, 1) == 1 && events[0].res == -EFAULT);
    CHECK_ERR(syscall(SYS_io_getevents, context, 2, 1, events, NULL), EINVAL);
    CHECK_ERR(syscall(SYS_io_getevents, context, -1L, 1L, events, NULL), EINVAL);
    CHECK_ERR(syscall(SYS_io_getevents, 77, 0, 1, events, NULL), EINVAL);
    CHECK_EQ(syscall(SYS_io_getevents, context, 0, 1, events, NULL), 0);
    struct timespec soon = {0, 1000000};
    CHECK_EQ(syscall(SYS_io_getevents, context, 1, 1, events, &soon), 0);

    // Waiting for a pipe, and giving that up.
    int ends[2];
    CHECK_OK(pipe(ends));
    struct iocb ready = request(IOCB_CMD_POLL, ends[0], (void *)POLLIN, 0, 0);
    CHECK_EQ(submit(&ready), 1);
    CHECK_EQ(syscall(SYS_io_getevents, context, 1, 1, events, &soon), 0);
    CHECK_EQ(syscall(SYS_write, ends[1], "x", 1), 1);
    CHECK(wait_for(1, 1) == 1 && events[0].obj == (uint64_t)&ready && (events[0].res & POLLIN));
    CHECK_EQ(syscall(SYS_read, ends[0], in, 1), 1);
    CHECK_EQ(submit(&ready), 1);
    // The kernel's mark tells a request that was submitted.
    ready.aio_key = 1;
    CHECK_ERR(syscall(SYS_io_cancel, context, &ready, events), EINVAL);
    ready.aio_key = 0;
    CHECK_ERR(syscall(SYS_io_cancel, context, &ready, events), EINPROGRESS);
    CHECK(wait_for(1, 1) == 1 && events[0].obj == (uint64_t)&ready && events[0].res == 0);
    CHECK_ERR(syscall(SYS_io_cancel, context, &ready, events), EINVAL);
    CHECK_ERR(syscall(SYS_io_cancel, context, (void *)8, events), EFAULT);
    sigset_t mask;
    sigfillset(&mask);
    struct {
        const sigset_t *set;
        size_t size;
    } argument = {&mask, 8};
    CHECK_EQ(syscall(SYS_io_pgetevents, context, 1, 1, events, &soon, &argument), 0);
    argument.size = 4;
    CHECK_ERR(syscall(SYS_io_pgetevents, context, 0, 1, events, &soon, &argument), EINVAL);
    CHECK_EQ(syscall(SYS_io_pgetevents, context, 0, 1, events, &soon, NULL), 0);

    // A child has no contexts.
    pid_t child = fork();
    if (child == 0)
        _exit(syscall(SYS_io_destroy, context) != -1 || errno != EINVAL);
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    CHECK_EQ(submit(&ready), 1);
    unsigned char resident;
    CHECK_OK(mincore((void *)context, 4096, &resident));
    CHECK_OK(syscall(SYS_io_destroy, context));
    CHECK_ERR(wait_for(0, 1), EINVAL);
    CHECK_ERR(mincore((void *)context, 4096, &resident), ENOMEM);
    return CHECK_DONE();
}
