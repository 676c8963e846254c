// uname(2), sysinfo(2), sysconf(3), getcpu(2): plausible and consistent answers.
#include "check.h"

#include <sched.h>
#include <sys/sysinfo.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

int main(void) {
    struct utsname u;
    int major = 0, minor = 0;
    CHECK_OK(uname(&u));
    CHECK_STR(u.sysname, "Linux");
    CHECK_STR(u.machine, "x86_64");
    CHECK_EQ(sscanf(u.release, "%d.%d", &major, &minor), 2);
    CHECK(major > 3);
    CHECK(u.version[0] == '#');
    char host[65] = "";
    CHECK_OK(gethostname(host, sizeof host));
    CHECK_EQ(strcmp(host, u.nodename), 0);

    struct sysinfo s;
    CHECK_OK(sysinfo(&s));
    CHECK(s.uptime > 0 && s.procs > 0);
    CHECK(s.totalram >= s.freeram && s.totalram > 0 && s.mem_unit > 0);
    CHECK_EQ(sysconf(_SC_PAGESIZE), 4096);
    CHECK(sysconf(_SC_NPROCESSORS_ONLN) >= 1);
    CHECK(get_phys_pages() > 1000);

    // Pinned to one processor, that is the one it is on.
    cpu_set_t set;
    CHECK_OK(sched_getaffinity(0, sizeof set, &set));
    int first = 0;
    while (!CPU_ISSET(first, &set))
        first++;
    CPU_ZERO(&set);
    CPU_SET(first, &set);
    CHECK_OK(sched_setaffinity(0, sizeof set, &set));
    unsigned cpu = 99999, node = 99999;
    CHECK_OK(syscall(SYS_getcpu, &cpu, &node, NULL));
    CHECK_EQ(cpu, first);
    CHECK(node < 4096);
    CHECK_EQ(sched_getcpu(), first);
    CHECK_OK(syscall(SYS_getcpu, NULL, NULL, NULL));

    CHECK_ERR(syscall(SYS_uname, NULL), EFAULT);
    CHECK_ERR(syscall(SYS_sysinfo, 8L), EFAULT);
    CHECK_ERR(syscall(SYS_getcpu, 8L, NULL, NULL), EFAULT);
    return CHECK_DONE();
}
