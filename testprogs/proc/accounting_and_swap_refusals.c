// acct(2), swapon(2) and swapoff(2) with files that they cannot use: the kernel's errors, whoever asks.
#include "check.h"

#include <fcntl.h>
#include <sys/swap.h>

#define TRY(call) NOTE("%s: %s", #call, (call) == 0 ? "done" : check_errno_name(errno))

int main(void) {
    close(open("file", O_RDWR | O_CREAT, 0600));
    TRY(acct("missing"));
    TRY(acct("/"));
    TRY(acct((char *)8));
    TRY(swapon("missing", 0));
    TRY(swapon("file", 0));
    TRY(swapon("file", 0x4000000));
    TRY(swapon((char *)8, 0));
    TRY(swapoff("missing"));
    TRY(swapoff("file"));
    TRY(swapoff((char *)8));
    return CHECK_DONE();
}
