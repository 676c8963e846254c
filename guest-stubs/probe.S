# User code of the start-up probe and of `kvm-se doctor`: run at CPL 3 in a page of its own.

    .pushsection .rodata.kvm_se_probe, "a", @progbits
    .balign 4096
    .globl kvm_se_probe_start
kvm_se_probe_start:

    .globl kvm_se_probe_syscall
kvm_se_probe_syscall:
    syscall
    ud2

# rdi -> a word; the word comes back in rsi
    .balign 16
    .globl kvm_se_probe_load
kvm_se_probe_load:
    mov     (%rdi), %rsi
    syscall
    ud2

    .balign 16
    .globl kvm_se_probe_end
kvm_se_probe_end:
    .popsection
