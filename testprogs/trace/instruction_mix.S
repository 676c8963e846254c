// cflags: -nostdlib
// Instructions of all kinds on operands that differ from round to round, without a library: what another emulator of the
// processor is compared by. Ends with status 0.

    .set ROUNDS, 6
    .set WORDS, 64

    .bss
    .balign 64
operands: .skip 8 * WORDS
result:   .skip 512
string:   .skip 256
copy:     .skip 256

    .data
    .balign 64
ones:     .fill 4, 8, 0x3ff0000000000000
floats:   .long 0x3f800000, 0x40490fdb, 0x00000001, 0x7f800000, 0xbf000000, 0x80000000, 0x7fc00001, 0x42c80000
doubles:  .quad 0x3ff8000000000000, 0x400921fb54442d18, 0x3fd5555555555555, 0xc059000000000000
indices:  .long 0, 3, 1, 7, 2, 6, 5, 4
decimal:  .byte 0x21, 0x43, 0x65, 0x87, 0x09, 0, 0, 0, 0, 0x80

    .text
    .globl _start
_start:
    movabs $0x9e3779b97f4a7c15, %r15
    mov $ROUNDS, %r14d
round:
    call draw
    call integers
    call bits
    call strings
    call sse
    call x87
    call avx
    dec %r14d
    jnz round
    mov $60, %eax
    xor %edi, %edi
    syscall

// xorshift64 for each word of the operands.
draw:
    lea operands(%rip), %rdi
    mov $WORDS, %ecx
1:  mov %r15, %rax
    shl $13, %rax
    xor %rax, %r15
    mov %r15, %rax
    shr $7, %rax
    xor %rax, %r15
    mov %r15, %rax
    shl $17, %rax
    xor %rax, %r15
    mov %r15, (%rdi)
    add $8, %rdi
    loop 1b
    ret

    .macro load
    mov operands(%rip), %rax
    mov operands+8(%rip), %rbx
    mov operands+16(%rip), %rcx
    mov operands+24(%rip), %rdx
    .endm

integers:
    load
    .irp op, add, adc, sub, sbb, and, or, xor, cmp, test
    \op %rbx, %rax
    \op %ecx, %eax
    \op %dx, %bx
    \op %cl, %ah
    \op %rdx, result(%rip)
    .endr
    .irp op, inc, dec, neg, not
    \op %rax
    \op %bl
    \op %cx
    \op\()l result(%rip)
    .endr
    .irp op, mul, imul
    \op %rbx
    \op %ecx
    \op %bx
    \op %bl
    .endr
    imul %rcx, %rbx
    imul $-77, %ecx, %eax
    load
    xor %edx, %edx
    or $1, %rbx
    div %rbx
    load
    cqo
    or $3, %rbx
    idiv %rbx
    load
    cdq
    or $3, %ebx
    idiv %ebx
    movzbl %al, %eax
    mov $9, %cl
    div %cl
    load
    xchg %rax, %rbx
    xadd %rcx, result(%rip)
    cmpxchg %rdx, result(%rip)
    mov result(%rip), %rax
    lock cmpxchg %rdx, result(%rip)
    lock cmpxchg16b result(%rip)
    bswap %rdx
    .irp cc, o, no, b, ae, e, ne, be, a, s, ns, p, np, l, ge, le, g
    set\cc %al
    cmov\cc %rbx, %rcx
    j\cc 1f
    nop
1:  add %rbx, %rdx
    .endr
    lahf
    xor $0xd5, %ah
    sahf
    stc
    cmc
    rcl $1, %eax
    pushf
    pop %rax
    push %rax
    popf
    movsbq %bl, %rax
    movslq %ebx, %rcx
    lea 7(%rax, %rcx, 4), %rdx
    enter $16, $0
    leave
    xor %eax, %eax
    xor %ecx, %ecx
    cpuid
    xor %ecx, %ecx
    xgetbv
    rdtsc
    ret

bits:
    load
    .irp op, rol, ror, rcl, rcr, shl, shr, sar
    \op $1, %rax
    \op $5, %ebx
    \op %cl, %rdx
    \op %cl, %ax
    \op %cl, %bl
    \op\()q $3, result(%rip)
    .endr
    shld $9, %rbx, %rax
    shrd %cl, %rdx, %rbx
    shld %cl, %eax, %ebx
    .irp op, bt, bts, btr, btc
    \op $17, %rax
    \op %rcx, %rbx
    .endr
    .irp op, bsf, bsr, tzcnt, lzcnt, popcnt
    \op %rax, %rdx
    \op %ebx, %edx
    .endr
    xor %eax, %eax
    tzcnt %rax, %rdx
    lzcnt %eax, %edx
    load
    andn %rax, %rbx, %rcx
    blsi %rax, %rcx
    blsmsk %ebx, %ecx
    blsr %rdx, %rcx
    bextr %rax, %rbx, %rdx
    bzhi %rax, %rbx, %rdx
    rorx $13, %rax, %rbx
    sarx %rax, %rbx, %rcx
    shlx %eax, %ebx, %ecx
    shrx %rdx, %rax, %rbx
    pdep %rax, %rbx, %rcx
    pext %rax, %rbx, %rdx
    mulx %rax, %rbx, %rcx
    movbe %rax, result(%rip)
    movbe result(%rip), %ebx
    ret

strings:
    cld
    lea string(%rip), %rdi
    mov operands(%rip), %rax
    mov $16, %ecx
    rep stosq
    movb $7, string+99(%rip)
    lea string(%rip), %rsi
    lea copy(%rip), %rdi
    mov $101, %ecx
    rep movsb
    mov $7, %al
    lea string(%rip), %rdi
    mov $200, %ecx
    repne scasb
    lea string(%rip), %rsi
    lea copy(%rip), %rdi
    mov $200, %ecx
    repe cmpsb
    std
    lea string+80(%rip), %rsi
    lea copy+80(%rip), %rdi
    mov $5, %ecx
    rep movsl
    cld
    lodsw
    stosl
    cmpsq
    xor %ecx, %ecx
    rep movsb
    repe cmpsb
    ret

sse:
    .irp op, movaps, movupd, movdqu
    \op operands(%rip), %xmm0
    \op operands+16(%rip), %xmm1
    \op floats(%rip), %xmm2
    \op doubles(%rip), %xmm3
    .endr
    .irp op, paddb, paddsw, psubusb, pmullw, pmulhuw, pmaddwd, pmuludq, pavgb, pminub, pmaxsw, psadbw, pcmpeqb, pcmpgtd, packuswb, punpckhwd, pand, pxor, psrlw, psllq, pshufb, phaddd, psignw, pmulhrsw, pmuldq, pmaxud, packusdw, pcmpgtq
    \op %xmm1, %xmm0
    .endr
    pshufd $0x1b, %xmm0, %xmm4
    palignr $5, %xmm1, %xmm0
    pblendw $0x5a, %xmm1, %xmm0
    mpsadbw $3, %xmm1, %xmm0
    phminposuw %xmm0, %xmm5
    ptest %xmm0, %xmm1
    pcmpestri $0x0c, %xmm0, %xmm1
    pcmpistrm $0x44, %xmm0, %xmm1
    pmovmskb %xmm0, %eax
    crc32q %rax, %rbx
    pclmulqdq $0x11, %xmm1, %xmm0
    aesenc %xmm1, %xmm0
    aeskeygenassist $3, %xmm0, %xmm4
    movaps floats+16(%rip), %xmm4
    .irp op, addps, subps, mulps, divps, minps, maxps, unpcklps, addss, mulss, divss
    \op floats(%rip), %xmm2
    \op %xmm4, %xmm2
    .endr
    .irp op, addpd, subpd, mulpd, divpd, minpd, maxpd, addsubpd, haddpd, addsd, divsd
    \op doubles+16(%rip), %xmm3
    \op %xmm3, %xmm3
    .endr
    movaps floats(%rip), %xmm2
    movapd doubles(%rip), %xmm3
    sqrtps %xmm2, %xmm4
    sqrtsd %xmm3, %xmm4
    rcpps %xmm2, %xmm4
    rsqrtss doubles+4(%rip), %xmm4
    .irp op, cvtps2dq, cvttps2dq, cvtps2pd, cvtdq2ps
    \op %xmm2, %xmm5
    .endr
    .irp op, cvtpd2ps, cvtpd2dq, cvttpd2dq
    \op %xmm3, %xmm5
    .endr
    cvtsi2sd %rbx, %xmm5
    cvtsd2ss %xmm5, %xmm6
    cvttss2si %xmm6, %rax
    cvtsd2si %xmm5, %ecx
    .irp mode, 0, 1, 2, 3
    roundpd $\mode, %xmm3, %xmm6
    .endr
    .irp how, 0, 1, 2, 3, 4, 5, 6, 7
    cmpps $\how, floats+16(%rip), %xmm2
    movaps floats(%rip), %xmm2
    .endr
    comisd %xmm3, %xmm6
    ucomiss floats+24(%rip), %xmm2
    dpps $0xf1, %xmm2, %xmm4
    insertps $0x1d, %xmm2, %xmm4
    stmxcsr result(%rip)
    // Towards zero, and denormals are zero.
    movl $0xffc0, result+8(%rip)
    ldmxcsr result+8(%rip)
    divps floats(%rip), %xmm2
    mulpd %xmm3, %xmm3
    addss floats+8(%rip), %xmm4
    movl $0x1f80, result+8(%rip)
    ldmxcsr result+8(%rip)
    movntdq %xmm0, result(%rip)
    movq operands(%rip), %mm0
    paddw operands+8(%rip), %mm0
    pmulhrsw %mm0, %mm0
    movq2dq %mm0, %xmm7
    emms
    ret

x87:
    fninit
    fldpi
    fld1
    fldl2e
    fldl doubles+16(%rip)
    fildq operands(%rip)
    fildl indices+8(%rip)
    .irp op, fadd, fsub, fsubr, fmul, fdiv, fdivr
    \op %st(1), %st
    \op %st, %st(2)
    .endr
    fxch %st(3)
    fchs
    fabs
    fsqrt
    frndint
    fxam
    fnstsw %ax
    fcomi %st(1), %st
    fucom %st(2)
    fnstsw result(%rip)
    ftst
    fxtract
    fscale
    fincstp
    fdecstp
    fstpt result(%rip)
    fistl result+16(%rip)
    fisttpl result+24(%rip)
    fstpl result+32(%rip)
    fldt result(%rip)
    fbstp result+48(%rip)
    fbld decimal(%rip)
    ffree %st(2)
    fcmovb %st(1), %st
    fninit
    fldl doubles(%rip)
    fsin
    fldl doubles+16(%rip)
    fcos
    fldl doubles(%rip)
    fsincos
    fldl doubles+16(%rip)
    fptan
    fpatan
    fldl doubles+16(%rip)
    f2xm1
    fldl doubles(%rip)
    fyl2x
    fldl doubles+16(%rip)
    fyl2xp1
    fldl doubles+8(%rip)
    fildl indices+12(%rip)
    fprem
    fprem1
    fninit
    // An empty register, and a full stack.
    fadd %st(1), %st
    .rept 9
    fld1
    .endr
    // Single precision, down.
    movw $0x047f, result(%rip)
    fldcw result(%rip)
    fninit
    fldcw result(%rip)
    fldpi
    fldl doubles+16(%rip)
    fmulp
    fdivs floats+4(%rip)
    fnstenv result(%rip)
    fldenv result(%rip)
    fnsave result+64(%rip)
    frstor result+64(%rip)
    fninit
    ret

avx:
    vmovdqu operands(%rip), %ymm0
    vmovdqu operands+32(%rip), %ymm1
    vmovups floats(%rip), %ymm2
    vmovupd doubles(%rip), %ymm3
    vmovdqu indices(%rip), %ymm4
    .irp op, vpaddd, vpsubsb, vpmulld, vpmaddubsw, vpand, vpandn, vpshufb, vpackssdw, vpunpcklqdq, vpcmpeqw, vpmaxsd, vpsllvd, vpsravd, vpsrlvq, vphaddsw, vpermd
    \op %ymm1, %ymm0, %ymm5
    .endr
    vperm2i128 $0x21, %ymm1, %ymm0, %ymm6
    vpermq $0x4e, %ymm0, %ymm6
    vinserti128 $1, %xmm1, %ymm0, %ymm6
    vextracti128 $1, %ymm0, %xmm7
    vpbroadcastw %xmm0, %ymm7
    vpblendvb %ymm0, %ymm1, %ymm5, %ymm8
    vpmovsxbd %xmm0, %ymm8
    vpmovmskb %ymm0, %eax
    vptest %ymm0, %ymm1
    vpcmpeqd %ymm9, %ymm9, %ymm9
    lea doubles(%rip), %rsi
    vpxor %xmm10, %xmm10, %xmm10
    vpgatherdd %ymm9, (%rsi, %ymm4, 4), %ymm10
    vmovdqa %ymm0, %ymm9
    vpgatherqq %ymm9, (%rsi, %ymm11, 8), %ymm10
    vpmaskmovd %ymm0, %ymm1, result(%rip)
    vpmaskmovq result(%rip), %ymm1, %ymm12
    .irp op, vaddps, vsubps, vmulps, vdivps, vminps, vmaxps, vaddsubps, vhaddps
    \op floats(%rip), %ymm2, %ymm11
    .endr
    .irp op, vaddpd, vmulpd, vdivpd, vunpckhpd
    \op ones(%rip), %ymm3, %ymm12
    .endr
    vsqrtpd %ymm3, %ymm12
    vrcpps %ymm2, %ymm13
    vrsqrtps %ymm2, %ymm13
    vroundps $1, %ymm2, %ymm13
    vcmpps $0x1d, %ymm11, %ymm2, %ymm13
    vblendvpd %ymm0, %ymm3, %ymm12, %ymm14
    vdpps $0x71, %ymm2, %ymm11, %ymm14
    vcvtdq2pd %xmm0, %ymm14
    vcvttpd2dq %ymm14, %xmm14
    vcvtps2ph $0, %ymm2, %xmm15
    vcvtph2ps %xmm15, %ymm15
    vmovapd %ymm3, %ymm12
    .irp op, vfmadd132pd, vfmsub213pd, vfnmadd231pd, vfmaddsub213pd
    \op doubles(%rip), %ymm3, %ymm12
    .endr
    vfmadd231ss floats+4(%rip), %xmm2, %xmm11
    vaddsd %xmm3, %xmm3, %xmm3
    vpaddb %xmm0, %xmm1, %xmm1
    vmovntps %ymm2, result(%rip)
    vzeroupper
    vzeroall
    ret
