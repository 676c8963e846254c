# Code that runs at CPL 0 inside the guest. README.md in this folder is the register contract.
#
# Assembled into the runner, copied to guest memory once, never executed on the host. Position independent.
# PORT_SYSCALL, PORT_VECTOR, PORT_PAGE_FAULT and PORT_REFUSED come from src/vm/stubs.rs.

    .pushsection .rodata.kvm_se_stubs, "a", @progbits
    .balign 4096
    .globl kvm_se_stubs_start
kvm_se_stubs_start:

# LSTAR where `syscall` lands in ring 0: every register is still the user's, so leave at once.
    .globl kvm_se_stub_syscall
kvm_se_stub_syscall:
    out     %al, ${PORT_SYSCALL}
# The runner has written the result to rax; rcx and r11 hold the user's rip and rflags.
    .globl kvm_se_stub_sysret
kvm_se_stub_sysret:
    sysretq

# CSTAR: no program can come here, for there is no 32-bit code segment to come from.
    .balign 16
    .globl kvm_se_stub_refuse
kvm_se_stub_refuse:
    out     %al, ${PORT_REFUSED}
    ud2

# Page faults where ring 0 is native: cr2 goes on the stack below the error code, since reading it from the host
# would cost as much as the whole exit.
    .balign 16
    .globl kvm_se_stub_page_fault
kvm_se_stub_page_fault:
    push    %rax
    mov     %cr2, %rax
    xchg    %rax, (%rsp)
    out     %al, ${PORT_PAGE_FAULT}
    ud2

# The way back to any user state: the runner has written an iret frame to the vCPU's stack and pointed rsp at it.
    .balign 16
    .globl kvm_se_stub_iret
kvm_se_stub_iret:
    iretq

# One stub of 16 bytes a vector: the port number tells which. Where ring 0 is interpreted an instruction costs 1 us,
# so there is only one, and the runner reads cr2 itself.
    .balign 16
    .globl kvm_se_stub_vectors
kvm_se_stub_vectors:
    .set    vector, 0
    .rept   32
    .balign 16
    out     %al, $({PORT_VECTOR} + vector)
    ud2
    .set    vector, vector + 1
    .endr

    .balign 16
    .globl kvm_se_stubs_end
kvm_se_stubs_end:
    .popsection
