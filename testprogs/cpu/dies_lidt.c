// lidt needs privilege: SIGSEGV. Intel SDM volume 2, LIDT.
#include "cpu/cpu.h"

int main(void) {
    check_no_privilege();
    CHECK_DEATH(SIGSEGV, __asm__ volatile("lidt (%0)" : : "r"((char[16]){0})));
}
