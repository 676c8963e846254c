// Each int3 is a SIGTRAP, however many other signals arrive, and what is behind it is executed once.
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

static volatile sig_atomic_t nr_traps, nr_alarms;

static void on_trap(int number)
{
    (void)number;
    nr_traps++;
}

static void on_alarm(int number)
{
    (void)number;
    nr_alarms++;
}

int main(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_trap;
    sigaction(SIGTRAP, &action, NULL);
    action.sa_handler = on_alarm;
    action.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &action, NULL);
    long behind = 0;
    int nr_made = 0;
    while (nr_made < 2000) {
        // Each timer is one of its own, so that a slow machine gets on, too; they find the traps at all their stages.
        struct itimerval soon = {.it_value.tv_usec = 10 + nr_made / 10};
        if (nr_made % 10 == 0)
            setitimer(ITIMER_REAL, &soon, NULL);
        // The second byte of the longer form is another instruction's first.
        if (nr_made % 2)
            asm volatile("int3\n\tadd $1, %0" : "+r"(behind));
        else
            asm volatile(".byte 0xcd, 3\n\tadd $1, %0" : "+r"(behind));
        if (nr_traps != ++nr_made)
            break;
    }
    int is_equal = nr_traps == nr_made && behind == nr_made && nr_alarms > 0;
    puts(is_equal ? "each int3 was a trap" : "an int3 was none");
    if (!is_equal)
        fprintf(stderr, "%d made, %d traps, %ld behind\n", nr_made, (int)nr_traps, behind);
    return !is_equal;
}
