// A path may end with the last byte of a mapping; one that runs into a bad page is EFAULT, one
// without an end is ENAMETOOLONG. path_resolution(7), open(2).
#include "mem/mem.h"

#include <sys/stat.h>

int main(void) {
    int created = file_of_pages("name", 1);
    CHECK_OK(close(created));
    char *p = map_island(3, PROT_READ | PROT_WRITE);
    CHECK_OK(mprotect(p + 2 * PAGE, PAGE, PROT_NONE));
    char *end = p + 2 * PAGE;

    memcpy(end - 5, "name", 5);
    CHECK_OK(open(end - 5, O_RDONLY));
    CHECK_OK(access(end - 5, R_OK));
    memcpy(end - 4, "name", 4);
    CHECK_ERR(open(end - 4, O_RDONLY), EFAULT);
    CHECK_ERR(access(end - 1, R_OK), EFAULT);
    CHECK_ERR(unlink(end), EFAULT);

    // Over the border between two pages and between two mappings.
    memcpy(p + PAGE - 2, "name", 5);
    CHECK_OK(open(p + PAGE - 2, O_RDONLY));
    CHECK_OK(mprotect(p + PAGE, PAGE, PROT_READ));
    CHECK_OK(open(p + PAGE - 2, O_RDONLY));
    CHECK_OK(mprotect(p + PAGE, PAGE, PROT_NONE));
    CHECK_ERR(open(p + PAGE - 2, O_RDONLY), EFAULT);
    CHECK_OK(mprotect(p + PAGE, PAGE, PROT_READ | PROT_WRITE));

    // Lengths: 4,095 characters are a path, 4,096 are not. A component ends at 255.
    char *q = map_island(2, PROT_READ | PROT_WRITE);
    memset(q, '/', 2 * PAGE);
    strcpy(q + 4095 - 4, "name");
    CHECK_EQ(strlen(q), 4095);
    struct stat status;
    CHECK_ERR(stat(q, &status), ENOENT);
    memset(q, '/', 2 * PAGE);
    CHECK_ERR(stat(q, &status), ENAMETOOLONG);
    memset(q, 'n', 256);
    q[256] = 0;
    CHECK_ERR(stat(q, &status), ENAMETOOLONG);
    q[255] = 0;
    CHECK_ERR(stat(q, &status), ENOENT);
    q[0] = 0;
    CHECK_ERR(stat(q, &status), ENOENT);
    return CHECK_DONE();
}
