# User code of the start-up probe and of `kvm-se doctor`: run at CPL 3 in a page of its own.

    .pushsection .rodata.kvm_se_probe, "a", @progbits
    .balign 4096
    .globl kvm_se_probe_start
kvm_se_probe_start:

# rdi -> a word; the word comes back in rsi
    .balign 16
    .globl kvm_se_probe_load
kvm_se_probe_load:
    mov     (%rdi), %rsi
    syscall
    ud2

# Everything from here on is the doctor's (src/vm/doctor/). Each routine ends in a `syscall`.

# rsi goes to the word at rdi.
    .balign 16
    .globl kvm_se_probe_store
kvm_se_probe_store:
    mov     %rsi, (%rdi)
    syscall
    ud2

# System calls without end.
    .balign 16
    .globl kvm_se_probe_syscalls
kvm_se_probe_syscalls:
    syscall
    jmp     kvm_se_probe_syscalls

# Every general register one up, a system call, and again.
    .balign 16
    .globl kvm_se_probe_registers
kvm_se_probe_registers:
    .irp    reg, rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp, r8, r9, r10, r11, r12, r13, r14, r15
    inc     %\reg
    .endr
    syscall
    jmp     kvm_se_probe_registers

# Four exceptions.
    .balign 16
    .globl kvm_se_probe_undefined
kvm_se_probe_undefined:
    ud2
    .globl kvm_se_probe_breakpoint
kvm_se_probe_breakpoint:
    int3
    .globl kvm_se_probe_divide
kvm_se_probe_divide:
    div     %edi                        # edi is 0
    .globl kvm_se_probe_privileged
kvm_se_probe_privileged:
    cli

# Instructions of known length for single steps: 1, 3 and 1 bytes, a system call, and 1 byte.
    .balign 16
    .globl kvm_se_probe_steps
kvm_se_probe_steps:
    nop
    inc     %rsi
    nop
    syscall
    nop
    ud2

# rsi counts until the vCPU is kicked.
    .balign 16
    .globl kvm_se_probe_spin
kvm_se_probe_spin:
    inc     %rsi
    jmp     kvm_se_probe_spin

# Reads the word at rdi until that faults, and counts the reads in the word at rdx.
    .balign 16
    .globl kvm_se_probe_watch
kvm_se_probe_watch:
    mov     (%rdi), %rsi
    incq    (%rdx)
    jmp     kvm_se_probe_watch

# Reads a word of each page from rdi on until one faults.
    .balign 16
    .globl kvm_se_probe_walk
kvm_se_probe_walk:
    mov     (%rdi), %rsi
    add     $4096, %rdi
    jmp     kvm_se_probe_walk

# rdi times round a loop of two instructions.
    .balign 16
    .globl kvm_se_probe_count
kvm_se_probe_count:
    dec     %rdi
    jnz     kvm_se_probe_count
    syscall
    ud2

# x87 and SSE state: from rdi before the system call, to rsi after it.
    .balign 16
    .globl kvm_se_probe_fxsave
kvm_se_probe_fxsave:
    fxrstor (%rdi)
    syscall
    fxsave  (%rsi)
    syscall
    ud2

# ymm0 to ymm15, in the same way.
    .balign 16
    .globl kvm_se_probe_avx
kvm_se_probe_avx:
    .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vmovdqu (\n * 32)(%rdi), %ymm\n
    .endr
    syscall
    .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vmovdqu %ymm\n, (\n * 32)(%rsi)
    .endr
    syscall
    ud2

# zmm0 to zmm31 and then the low words of k0 to k7, in the same way.
    .balign 16
    .globl kvm_se_probe_avx512
kvm_se_probe_avx512:
    .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    vmovdqu64 (\n * 64)(%rdi), %zmm\n
    .endr
    .irp    n, 0, 1, 2, 3, 4, 5, 6, 7
    kmovw   (2048 + \n * 2)(%rdi), %k\n
    .endr
    syscall
    .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    vmovdqu64 %zmm\n, (\n * 64)(%rsi)
    .endr
    .irp    n, 0, 1, 2, 3, 4, 5, 6, 7
    kmovw   %k\n, (2048 + \n * 2)(%rsi)
    .endr
    syscall
    ud2

# The words at both segment bases come back in r8 and r9.
    .balign 16
    .globl kvm_se_probe_segments
kvm_se_probe_segments:
    mov     %fs:0, %r8
    mov     %gs:0, %r9
    syscall
    ud2

# Makes rdi and rsi the segment bases.
    .balign 16
    .globl kvm_se_probe_set_segments
kvm_se_probe_set_segments:
    wrfsbase %rdi
    wrgsbase %rsi
    jmp     kvm_se_probe_segments

# XCR0 comes back in edx:eax.
    .balign 16
    .globl kvm_se_probe_xgetbv
kvm_se_probe_xgetbv:
    xor     %ecx, %ecx
    xgetbv
    syscall
    ud2

# Leaf edi comes back in eax, ebx and edx.
    .balign 16
    .globl kvm_se_probe_cpuid
kvm_se_probe_cpuid:
    mov     %edi, %eax
    xor     %ecx, %ecx
    cpuid
    syscall
    ud2

# The time-stamp counter comes back in edx:eax.
    .balign 16
    .globl kvm_se_probe_rdtsc
kvm_se_probe_rdtsc:
    rdtsc
    syscall
    ud2

# r12(rdi = clock r13, rsi -> timespec at rbp), r14 times, the timespecs one after the other. r14 is 0 at the end.
    .balign 16
    .globl kvm_se_probe_clock
kvm_se_probe_clock:
    mov     %r13, %rdi
    mov     %rbp, %rsi
    call    *%r12
    add     $16, %rbp
    dec     %r14
    jnz     kvm_se_probe_clock
    syscall
    ud2

    .balign 16
    .globl kvm_se_probe_end
kvm_se_probe_end:
    .popsection
