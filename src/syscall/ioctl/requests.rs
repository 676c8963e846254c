//! The ioctl requests that are known, by number: the kernel's `include/uapi/asm-generic/ioctls.h`,
//! `include/uapi/linux/{fs,fiemap,kd,vt,sockios,if_tun,random,rtc,nsfs,eventpoll,inotify,timerfd,hdreg,vm_sockets,kvm}.h`.

use super::Argument::{
    self, CloneRange, DedupeRange, Descriptor, Entropy, Fiemap, Int, InterfaceList, Memory, Nested, Unused,
};

/// One request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    nr: u32,
    /// Its name.
    pub(super) name: &'static str,
    /// What its argument is.
    pub(super) argument: Argument,
}

/// The request with the number `nr`.
pub(super) fn find(nr: u32) -> Option<&'static Request> {
    let index = REQUESTS.binary_search_by_key(&nr, |request| request.nr).ok()?;
    REQUESTS.get(index)
}

macro_rules! requests {
    ($($nr:literal $name:ident $argument:expr;)*) => {
        &[$(Request { nr: $nr, name: stringify!($name), argument: $argument }),*]
    };
}

/// Sorted by number.
static REQUESTS: &[Request] = requests! {
    0x0001 FIBMAP Memory(4);
    0x0002 FIGETBSZ Memory(4);
    0x0301 HDIO_GETGEO Memory(16);
    0x07b9 IOCTL_VM_SOCKETS_GET_LOCAL_CID Memory(4);
    0x125d BLKROSET Memory(4);
    0x125e BLKROGET Memory(4);
    0x125f BLKRRPART Unused;
    0x1260 BLKGETSIZE Memory(8);
    0x1261 BLKFLSBUF Unused;
    0x1262 BLKRASET Int;
    0x1263 BLKRAGET Memory(8);
    0x1264 BLKFRASET Int;
    0x1265 BLKFRAGET Memory(8);
    0x1267 BLKSECTGET Memory(2);
    0x1268 BLKSSZGET Memory(4);
    0x1277 BLKDISCARD Memory(16);
    0x1278 BLKIOMIN Memory(4);
    0x1279 BLKIOOPT Memory(4);
    0x127a BLKALIGNOFF Memory(4);
    0x127b BLKPBSZGET Memory(4);
    0x127c BLKDISCARDZEROES Memory(4);
    0x127d BLKSECDISCARD Memory(16);
    0x127e BLKROTATIONAL Memory(2);
    0x127f BLKZEROOUT Memory(16);
    0x4b31 KDGETLED Memory(1);
    0x4b33 KDGKBTYPE Memory(1);
    0x4b3b KDGETMODE Memory(4);
    0x4b44 KDGKBMODE Memory(4);
    0x5204 RNDZAPENTCNT Unused;
    0x5206 RNDCLEARPOOL Unused;
    0x5207 RNDRESEEDCRNG Unused;
    0x5401 TCGETS Memory(36);
    0x5402 TCSETS Memory(36);
    0x5403 TCSETSW Memory(36);
    0x5404 TCSETSF Memory(36);
    0x5405 TCGETA Memory(18);
    0x5406 TCSETA Memory(18);
    0x5407 TCSETAW Memory(18);
    0x5408 TCSETAF Memory(18);
    0x5409 TCSBRK Int;
    0x540a TCXONC Int;
    0x540b TCFLSH Int;
    0x540c TIOCEXCL Unused;
    0x540d TIOCNXCL Unused;
    0x540e TIOCSCTTY Int;
    0x540f TIOCGPGRP Memory(4);
    0x5410 TIOCSPGRP Memory(4);
    0x5411 TIOCOUTQ Memory(4);
    0x5412 TIOCSTI Memory(1);
    0x5413 TIOCGWINSZ Memory(8);
    0x5414 TIOCSWINSZ Memory(8);
    0x5415 TIOCMGET Memory(4);
    0x5416 TIOCMBIS Memory(4);
    0x5417 TIOCMBIC Memory(4);
    0x5418 TIOCMSET Memory(4);
    0x5419 TIOCGSOFTCAR Memory(4);
    0x541a TIOCSSOFTCAR Memory(4);
    0x541b FIONREAD Memory(4);
    0x541c TIOCLINUX Nested;
    0x541d TIOCCONS Unused;
    0x5420 TIOCPKT Memory(4);
    0x5421 FIONBIO Memory(4);
    0x5422 TIOCNOTTY Unused;
    0x5423 TIOCSETD Memory(4);
    0x5424 TIOCGETD Memory(4);
    0x5425 TCSBRKP Int;
    0x5427 TIOCSBRK Unused;
    0x5428 TIOCCBRK Unused;
    0x5429 TIOCGSID Memory(4);
    0x5437 TIOCVHANGUP Unused;
    0x5441 TIOCGPTPEER Int;
    0x5450 FIONCLEX Unused;
    0x5451 FIOCLEX Unused;
    0x5452 FIOASYNC Memory(4);
    0x5456 TIOCGLCKTRMIOS Memory(36);
    0x5457 TIOCSLCKTRMIOS Memory(36);
    0x545c TIOCMIWAIT Int;
    0x5460 FIOQSIZE Memory(8);
    0x5600 VT_OPENQRY Memory(4);
    0x5601 VT_GETMODE Memory(8);
    0x5603 VT_GETSTATE Memory(6);
    0x7001 RTC_AIE_ON Unused;
    0x7002 RTC_AIE_OFF Unused;
    0x7003 RTC_UIE_ON Unused;
    0x7004 RTC_UIE_OFF Unused;
    0x8901 FIOSETOWN Memory(4);
    0x8902 SIOCSPGRP Memory(4);
    0x8903 FIOGETOWN Memory(4);
    0x8904 SIOCGPGRP Memory(4);
    0x8905 SIOCATMARK Memory(4);
    0x8906 SIOCGSTAMP Memory(16);
    0x8907 SIOCGSTAMPNS Memory(16);
    0x890b SIOCADDRT Nested;
    0x890c SIOCDELRT Nested;
    0x8910 SIOCGIFNAME Memory(40);
    0x8912 SIOCGIFCONF InterfaceList;
    0x8913 SIOCGIFFLAGS Memory(40);
    0x8914 SIOCSIFFLAGS Memory(40);
    0x8915 SIOCGIFADDR Memory(40);
    0x8916 SIOCSIFADDR Memory(40);
    0x8917 SIOCGIFDSTADDR Memory(40);
    0x8918 SIOCSIFDSTADDR Memory(40);
    0x8919 SIOCGIFBRDADDR Memory(40);
    0x891a SIOCSIFBRDADDR Memory(40);
    0x891b SIOCGIFNETMASK Memory(40);
    0x891c SIOCSIFNETMASK Memory(40);
    0x891d SIOCGIFMETRIC Memory(40);
    0x891e SIOCSIFMETRIC Memory(40);
    0x8921 SIOCGIFMTU Memory(40);
    0x8922 SIOCSIFMTU Memory(40);
    0x8923 SIOCSIFNAME Memory(40);
    0x8924 SIOCSIFHWADDR Memory(40);
    0x8927 SIOCGIFHWADDR Memory(40);
    0x8929 SIOCGIFSLAVE Memory(40);
    0x8930 SIOCSIFSLAVE Memory(40);
    0x8931 SIOCADDMULTI Memory(40);
    0x8932 SIOCDELMULTI Memory(40);
    0x8933 SIOCGIFINDEX Memory(40);
    0x8934 SIOCSIFPFLAGS Memory(40);
    0x8935 SIOCGIFPFLAGS Memory(40);
    0x8936 SIOCDIFADDR Memory(40);
    0x8937 SIOCSIFHWBROADCAST Memory(40);
    0x8938 SIOCGIFCOUNT Memory(40);
    0x8942 SIOCGIFTXQLEN Memory(40);
    0x8943 SIOCSIFTXQLEN Memory(40);
    0x8946 SIOCETHTOOL Nested;
    0x894b SIOCOUTQNSD Memory(4);
    0x894c SIOCGSKNS Unused;
    0x8953 SIOCDARP Memory(68);
    0x8954 SIOCGARP Memory(68);
    0x8955 SIOCSARP Memory(68);
    0x8970 SIOCGIFMAP Memory(40);
    0x8971 SIOCSIFMAP Memory(40);
    0xae00 KVM_GET_API_VERSION Nested;
    0xae01 KVM_CREATE_VM Nested;
    0xae03 KVM_CHECK_EXTENSION Nested;
    0xae04 KVM_GET_VCPU_MMAP_SIZE Nested;
    0xb701 NS_GET_USERNS Unused;
    0xb702 NS_GET_PARENT Unused;
    0xb703 NS_GET_NSTYPE Unused;
    0xb704 NS_GET_OWNER_UID Memory(4);
    0x40044900 INOTIFY_IOC_SETNEXTWD Int;
    0x40045201 RNDADDTOENTCNT Memory(4);
    0x40045431 TIOCSPTLCK Memory(4);
    0x40045436 TIOCSIG Int;
    0x400454c8 TUNSETNOCSUM Int;
    0x400454c9 TUNSETDEBUG Int;
    0x400454ca TUNSETIFF Memory(40);
    0x400454cb TUNSETPERSIST Int;
    0x400454cc TUNSETOWNER Int;
    0x400454cd TUNSETLINK Int;
    0x400454ce TUNSETGROUP Int;
    0x400454d0 TUNSETOFFLOAD Int;
    0x400454d4 TUNSETSNDBUF Memory(4);
    0x400454d8 TUNSETVNETHDRSZ Memory(4);
    0x400454d9 TUNSETQUEUE Memory(40);
    0x400454da TUNSETIFINDEX Memory(4);
    0x400454dc TUNSETVNETLE Memory(4);
    0x400454de TUNSETVNETBE Memory(4);
    0x40049409 FICLONE Descriptor;
    0x40081271 BLKBSZSET Memory(8);
    0x40085203 RNDADDENTROPY Entropy;
    0x40085400 TFD_IOC_SET_TICKS Memory(8);
    0x40086602 FS_IOC_SETFLAGS Memory(4);
    0x40087602 FS_IOC_SETVERSION Memory(4);
    0x40088a01 EPIOCSPARAMS Memory(8);
    0x401c5820 FS_IOC_FSSETXATTR Memory(28);
    0x4020940d FICLONERANGE CloneRange;
    0x40247007 RTC_ALM_SET Memory(36);
    0x4024700a RTC_SET_TIME Memory(36);
    0x4028700f RTC_WKALM_SET Memory(40);
    0x402c542b TCSETS2 Memory(44);
    0x402c542c TCSETSW2 Memory(44);
    0x402c542d TCSETSF2 Memory(44);
    0x41009432 FS_IOC_SETFSLABEL Memory(256);
    0x80045200 RNDGETENTCNT Memory(4);
    0x80045430 TIOCGPTN Memory(4);
    0x80045432 TIOCGDEV Memory(4);
    0x80045438 TIOCGPKT Memory(4);
    0x80045439 TIOCGPTLCK Memory(4);
    0x80045440 TIOCGEXCL Memory(4);
    0x800454cf TUNGETFEATURES Memory(4);
    0x800454d2 TUNGETIFF Memory(40);
    0x800454d3 TUNGETSNDBUF Memory(4);
    0x800454d7 TUNGETVNETHDRSZ Memory(4);
    0x800454dd TUNGETVNETLE Memory(4);
    0x800454df TUNGETVNETBE Memory(4);
    0x80081270 BLKBSZGET Memory(8);
    0x80081272 BLKGETSIZE64 Memory(8);
    0x80081280 BLKGETDISKSEQ Memory(8);
    0x80086601 FS_IOC_GETFLAGS Memory(4);
    0x80087601 FS_IOC_GETVERSION Memory(4);
    0x80088a02 EPIOCGPARAMS Memory(8);
    0x80108906 SIOCGSTAMP_64 Memory(16);
    0x80108907 SIOCGSTAMPNS_64 Memory(16);
    0x80111500 FS_IOC_GETFSUUID Memory(17);
    0x801c581f FS_IOC_FSGETXATTR Memory(28);
    0x80247008 RTC_ALM_READ Memory(36);
    0x80247009 RTC_RD_TIME Memory(36);
    0x80287010 RTC_WKALM_RD Memory(40);
    0x802c542a TCGETS2 Memory(44);
    0x80811501 FS_IOC_GETFSSYSFSPATH Memory(129);
    0x81009431 FS_IOC_GETFSLABEL Memory(256);
    0xc0185879 FITRIM Memory(24);
    0xc0189436 FIDEDUPERANGE DedupeRange;
    0xc020660b FS_IOC_FIEMAP Fiemap;
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_sorted_and_found() {
        for pair in REQUESTS.windows(2) {
            assert!(pair[0].nr < pair[1].nr, "{} and {}", pair[0].name, pair[1].name);
        }
        for request in REQUESTS {
            assert_eq!(find(request.nr).map(|found| found.name), Some(request.name));
        }
        assert!(find(0).is_none() && find(0xdead_beef).is_none() && find(u32::MAX).is_none());
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = REQUESTS.iter().map(|request| request.name).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
    }

    /// Requests made with `_IOC` carry the length of their argument in bits 16 to 29.
    #[test]
    fn lengths_are_those_in_the_number() {
        /// Their numbers say `long` and the kernel moves an `int`, or they have a flexible end.
        const MISNAMED: &[&str] =
            &["FS_IOC_GETFLAGS", "FS_IOC_SETFLAGS", "FS_IOC_GETVERSION", "FS_IOC_SETVERSION", "BLKBSZSET", "BLKBSZGET"];
        for request in REQUESTS {
            let (len, direction) = (u64::from(request.nr >> 16 & 0x3fff), request.nr >> 30);
            if let Memory(known) = request.argument
                && direction != 0
                && !MISNAMED.contains(&request.name)
                && !request.name.starts_with("TUN")
            {
                assert_eq!(known, len, "{}", request.name);
            }
        }
    }

    #[test]
    fn numbers_are_those_of_the_c_library() {
        let named = [
            (libc::TCGETS, "TCGETS"),
            (libc::TIOCGWINSZ, "TIOCGWINSZ"),
            (libc::TIOCGPTPEER, "TIOCGPTPEER"),
            (libc::FIONREAD, "FIONREAD"),
            (libc::FIOCLEX, "FIOCLEX"),
            (libc::FICLONE, "FICLONE"),
            (libc::BLKSSZGET, "BLKSSZGET"),
            (libc::SIOCGIFCONF, "SIOCGIFCONF"),
            (libc::SIOCGIFINDEX, "SIOCGIFINDEX"),
        ];
        for (nr, name) in named {
            assert_eq!(u32::try_from(nr).ok().and_then(find).map(|request| request.name), Some(name));
        }
    }
}
