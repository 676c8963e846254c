//! Unit tests of each operation's edges, then random operations against a model that knows no ranges.

use proptest::prelude::*;

use super::*;

const RW: Prot = Prot::READ.union(Prot::WRITE);
/// Below it all tests of hole search by hand take place.
const BASE: u64 = 0x7000_0000_0000;

/// Pages `first` to below `end`, counted from 4 GiB.
fn pages(first: u64, end: u64) -> PageRange {
    let page = |n: u64| 0x1_0000_0000 + n * PAGE_SIZE;
    PageRange::new(page(first), page(end)).unwrap()
}

fn range(start: u64, end: u64) -> PageRange {
    PageRange::new(start, end).unwrap()
}

fn library() -> Arc<MappedFile> {
    Arc::new(MappedFile { dev: 0x801, ino: 42, path: b"/lib/libc.so.6".as_slice().into() })
}

fn file_vma(offset_pages: u64) -> Vma {
    let backing = Backing::File { file: library(), offset: offset_pages * PAGE_SIZE };
    Vma::new(Prot::READ, VmaFlags::empty(), backing)
}

fn shared_vma(object: u64, offset_pages: u64) -> Vma {
    let backing = Backing::SharedAnonymous { object: ObjectId(object), offset: offset_pages * PAGE_SIZE };
    Vma::new(RW, VmaFlags::SHARED, backing)
}

fn stack_vma() -> Vma {
    Vma::new(RW, VmaFlags::GROWSDOWN, Backing::Anonymous)
}

fn map_of(vmas: impl IntoIterator<Item = Piece>) -> VmaMap {
    let mut map = VmaMap::default();
    for (range, vma) in vmas {
        map.insert(range, vma).unwrap();
    }
    map
}

fn ranges(map: &VmaMap) -> Vec<PageRange> {
    map.iter().map(|(range, _)| range).collect()
}

fn contents(map: &VmaMap) -> Vec<Piece> {
    map.iter().map(|(range, vma)| (range, vma.clone())).collect()
}

mod lookup {
    use super::*;

    fn two_vmas() -> VmaMap {
        map_of([(pages(2, 4), Vma::anonymous(RW)), (pages(6, 8), file_vma(10))])
    }

    #[test]
    fn find_holds_the_first_and_not_the_end_byte() {
        let map = two_vmas();
        let found = |addr| map.find(addr).map(|(range, _)| range);
        assert_eq!(found(pages(2, 4).start() - 1), None);
        assert_eq!(found(pages(2, 4).start()), Some(pages(2, 4)));
        assert_eq!(found(pages(2, 4).end() - 1), Some(pages(2, 4)));
        assert_eq!(found(pages(2, 4).end()), None);
        assert_eq!(found(u64::MAX), None);
    }

    #[test]
    fn neighbours_are_found_from_holes() {
        let map = two_vmas();
        let above = |addr| map.find_at_or_above(addr).map(|(range, _)| range);
        let below = |addr| map.find_below(addr).map(|(range, _)| range);
        assert_eq!(above(0), Some(pages(2, 4)));
        assert_eq!(above(pages(4, 5).start()), Some(pages(6, 8)));
        assert_eq!(above(pages(8, 9).start()), None);
        assert_eq!(below(pages(4, 5).start()), Some(pages(2, 4)));
        assert_eq!(below(pages(7, 8).start()), Some(pages(2, 4)));
        assert_eq!(below(u64::MAX), Some(pages(6, 8)));
        assert_eq!(below(pages(3, 4).start()), None);
    }

    #[test]
    fn a_range_sees_vmas_cut_and_their_offset_moved() {
        let map = two_vmas();
        let seen: Vec<_> = map.iter_range(pages(3, 7)).map(|part| (part.range, part.whole, part.to_vma())).collect();
        let expected = [
            (pages(3, 4), pages(2, 4), Vma::anonymous(RW)), //
            (pages(6, 7), pages(6, 8), file_vma(10)),
        ];
        assert_eq!(seen, expected);
        let last = map.iter_range(pages(7, 20)).next().unwrap();
        assert_eq!((last.range, last.to_vma()), (pages(7, 8), file_vma(11)));
    }

    #[test]
    fn coverage_ends_at_holes() {
        let map = two_vmas();
        assert!(map.is_free(pages(4, 6)) && !map.is_free(pages(3, 6)) && !map.is_free(pages(4, 7)));
        assert!(map.covers_whole(pages(2, 4)) && map.covers_whole(pages(3, 4)));
        assert!(!map.covers_whole(pages(2, 8)) && !map.covers_whole(pages(1, 3)));
        assert_eq!(map.mapped_len(pages(3, 7)), 2 * PAGE_SIZE);
        assert_eq!(map.find_intersection(pages(4, 7)).map(|(whole, _)| whole), Some(pages(6, 8)));
        assert_eq!(map.find_intersection(pages(4, 6)).map(|(whole, _)| whole), None);
    }
}

mod merging {
    use super::*;

    #[test]
    fn a_filled_hole_makes_one_vma_of_three() {
        let anonymous = Vma::anonymous(RW);
        let map = map_of([
            (pages(0, 1), anonymous.clone()),
            (pages(2, 3), anonymous.clone()),
            (pages(1, 2), anonymous.clone()),
        ]);
        assert_eq!(contents(&map), [(pages(0, 3), anonymous)]);
    }

    #[test]
    fn files_merge_only_where_offsets_go_on() {
        let map = map_of([(pages(0, 2), file_vma(5)), (pages(2, 3), file_vma(7)), (pages(3, 4), file_vma(7))]);
        assert_eq!(contents(&map), [(pages(0, 3), file_vma(5)), (pages(3, 4), file_vma(7))]);

        let other = Arc::new(MappedFile { ino: 43, ..(*library()).clone() });
        let backing = Backing::File { file: other, offset: PAGE_SIZE };
        let map = map_of([(pages(0, 1), file_vma(0)), (pages(1, 2), Vma { backing, ..file_vma(0) })]);
        assert_eq!(map.nr_vmas(), 2);
    }

    #[test]
    fn shared_memory_merges_only_within_one_object() {
        let map = map_of([
            (pages(0, 1), shared_vma(1, 0)),
            (pages(1, 2), shared_vma(1, 1)),
            (pages(2, 3), shared_vma(2, 2)),
            (pages(3, 4), shared_vma(2, 2)),
        ]);
        assert_eq!(ranges(&map), [pages(0, 2), pages(2, 3), pages(3, 4)]);
    }

    #[test]
    fn each_attribute_keeps_neighbours_apart() {
        let plain = Vma::anonymous(RW);
        for other in [
            Vma { prot: Prot::READ, ..plain.clone() },
            Vma { may: Prot::READ, ..plain.clone() },
            Vma { flags: VmaFlags::LOCKED, ..plain.clone() },
            Vma { name: VmaName::Heap, ..plain.clone() },
            Vma { name: VmaName::Anon("arena".into()), ..plain.clone() },
            shared_vma(1, 0),
            file_vma(0),
        ] {
            let map = map_of([(pages(0, 1), plain.clone()), (pages(1, 2), other)]);
            assert_eq!(map.nr_vmas(), 2);
        }
    }

    #[test]
    fn insert_refuses_what_is_not_free() {
        let mut map = map_of([(pages(2, 4), file_vma(0))]);
        let before = (contents(&map), map.usage(), map.generation());
        for taken in [pages(1, 3), pages(3, 5), pages(2, 4), pages(0, 9)] {
            assert_eq!(map.insert(taken, Vma::anonymous(RW)), Err(Errno::EEXIST));
        }
        assert_eq!((contents(&map), map.usage(), map.generation()), before);
    }
}

mod change {
    use super::*;

    #[test]
    fn remove_returns_what_was_there_cut_to_the_range() {
        let mut map = map_of([(pages(0, 4), file_vma(8)), (pages(5, 7), Vma::anonymous(RW))]);
        let removed = map.remove(pages(1, 6)).unwrap();
        assert_eq!(removed, [(pages(1, 4), file_vma(9)), (pages(5, 6), Vma::anonymous(RW))]);
        assert_eq!(contents(&map), [(pages(0, 1), file_vma(8)), (pages(6, 7), Vma::anonymous(RW))]);
    }

    #[test]
    fn a_hole_in_a_file_moves_the_offset_of_its_rest() {
        let mut map = map_of([(pages(0, 5), file_vma(8))]);
        map.remove(pages(2, 3)).unwrap();
        assert_eq!(contents(&map), [(pages(0, 2), file_vma(8)), (pages(3, 5), file_vma(11))]);
        map.insert(pages(2, 3), file_vma(10)).unwrap();
        assert_eq!(contents(&map), [(pages(0, 5), file_vma(8))]);
    }

    #[test]
    fn removing_nothing_changes_nothing() {
        let mut map = map_of([(pages(0, 1), file_vma(8))]);
        let generation = map.generation();
        assert_eq!(map.remove(pages(1, 9)), Ok(vec![]));
        assert_eq!(map.update(pages(1, 9), |vma| vma.prot = RW), Ok(()));
        assert_eq!(map.generation(), generation);
    }

    #[test]
    fn update_splits_at_its_edges_and_merges_back() {
        let mut map = map_of([(pages(0, 4), file_vma(8))]);
        map.update(pages(1, 2), |vma| vma.prot = RW).unwrap();
        let changed = Vma { prot: RW, ..file_vma(9) };
        assert_eq!(contents(&map), [(pages(0, 1), file_vma(8)), (pages(1, 2), changed), (pages(2, 4), file_vma(10))]);
        assert_eq!(map.usage().data, PAGE_SIZE);
        map.update(pages(1, 2), |vma| vma.prot = Prot::READ).unwrap();
        assert_eq!(contents(&map), [(pages(0, 4), file_vma(8))]);
        assert_eq!(map.usage().data, 0);
    }

    #[test]
    fn update_skips_holes() {
        let mut map = map_of([(pages(0, 2), Vma::anonymous(RW)), (pages(3, 5), Vma::anonymous(RW))]);
        map.update(pages(1, 4), |vma| vma.flags |= VmaFlags::LOCKED).unwrap();
        assert_eq!(ranges(&map), [pages(0, 1), pages(1, 2), pages(3, 4), pages(4, 5)]);
        assert_eq!(map.usage().locked, 2 * PAGE_SIZE);
    }

    #[test]
    fn usage_counts_by_kind() {
        let code = Vma { prot: Prot::READ | Prot::EXEC, ..file_vma(0) };
        let map = map_of([
            (pages(0, 1), code),
            (pages(1, 3), Vma::anonymous(RW)),
            (pages(3, 7), shared_vma(1, 0)),
            (pages(7, 15), stack_vma()),
            (pages(15, 31), Vma::anonymous(Prot::empty())),
        ]);
        let expected =
            Usage { total: 31 * PAGE_SIZE, locked: 0, data: 2 * PAGE_SIZE, stack: 8 * PAGE_SIZE, code: PAGE_SIZE };
        assert_eq!(map.usage(), expected);
    }

    #[test]
    fn every_change_makes_a_new_generation() {
        let mut map = VmaMap::default();
        let mut seen = vec![map.generation()];
        map.insert(pages(0, 4), file_vma(0)).unwrap();
        seen.push(map.generation());
        map.update(pages(0, 1), |vma| vma.prot = RW).unwrap();
        seen.push(map.generation());
        map.move_range(pages(0, 4), pages(10, 14)).unwrap();
        seen.push(map.generation());
        map.remove(pages(10, 11)).unwrap();
        seen.push(map.generation());
        assert!(seen.is_sorted_by(|earlier, later| earlier < later));
    }
}

mod moving {
    use super::*;

    #[test]
    fn offsets_stay_and_the_last_vma_grows() {
        let mut map = map_of([(pages(0, 4), file_vma(8))]);
        map.move_range(pages(1, 3), pages(10, 15)).unwrap();
        assert_eq!(
            contents(&map),
            [(pages(0, 1), file_vma(8)), (pages(3, 4), file_vma(11)), (pages(10, 15), file_vma(9))]
        );
    }

    #[test]
    fn several_vmas_keep_their_distance() {
        let mut map = map_of([(pages(0, 1), file_vma(8)), (pages(2, 4), Vma::anonymous(RW))]);
        map.move_range(pages(0, 3), pages(10, 13)).unwrap();
        assert_eq!(
            contents(&map),
            [(pages(3, 4), Vma::anonymous(RW)), (pages(10, 11), file_vma(8)), (pages(12, 13), Vma::anonymous(RW))]
        );
    }

    #[test]
    fn a_move_back_joins_what_it_parted() {
        let mut map = map_of([(pages(0, 4), file_vma(8))]);
        map.move_range(pages(1, 3), pages(10, 12)).unwrap();
        map.move_range(pages(10, 12), pages(1, 3)).unwrap();
        assert_eq!(contents(&map), [(pages(0, 4), file_vma(8))]);
    }

    #[test]
    fn a_heap_that_moves_is_a_heap_no_longer() {
        let heap = Vma { name: VmaName::Heap, ..Vma::anonymous(RW) };
        let mut map = map_of([(pages(0, 4), heap)]);
        map.move_range(pages(0, 4), pages(10, 14)).unwrap();
        assert_eq!(contents(&map), [(pages(10, 14), Vma::anonymous(RW))]);
    }

    #[test]
    fn refusals_leave_the_map_alone() {
        let mut map = map_of([(pages(0, 4), file_vma(8)), (pages(9, 10), file_vma(0))]);
        let before = (contents(&map), map.generation());
        assert_eq!(map.move_range(pages(0, 4), pages(3, 7)), Err(Errno::EINVAL));
        assert_eq!(map.move_range(pages(0, 4), pages(20, 22)), Err(Errno::EINVAL));
        assert_eq!(map.move_range(pages(0, 4), pages(6, 10)), Err(Errno::EEXIST));
        assert_eq!(map.move_range(pages(3, 5), pages(20, 22)), Err(Errno::EFAULT));
        assert_eq!(map.move_range(pages(5, 6), pages(20, 21)), Err(Errno::EFAULT));
        assert_eq!((contents(&map), map.generation()), before);
    }
}

mod full_map {
    use super::*;

    /// A map with room for `max` VMAs that holds `nr`, each of three pages and none next to another.
    fn map_with(nr: u64, max: usize) -> VmaMap {
        let mut map = VmaMap::new(max, TASK_SIZE);
        for n in 0..nr {
            map.insert(pages(n * 4, n * 4 + 3), Vma::anonymous(RW)).unwrap();
        }
        map
    }

    #[test]
    fn insert_goes_one_beyond_as_linux_does() {
        let mut map = map_with(4, 4);
        assert_eq!(map.insert(pages(100, 101), file_vma(0)), Ok(()));
        assert_eq!(map.check_room(), Err(Errno::ENOMEM));
        // Even where it would merge: do_mmap asks first.
        assert_eq!(map.insert(pages(3, 4), Vma::anonymous(RW)), Err(Errno::ENOMEM));
    }

    #[test]
    fn only_a_remove_that_adds_vmas_is_refused() {
        let mut map = map_with(4, 4);
        assert_eq!(map.remove(pages(1, 2)), Err(Errno::ENOMEM));
        assert_eq!(map.nr_vmas(), 4);
        assert!(map.remove(pages(2, 5)).is_ok(), "cuts two, splits none");
        assert!(map.remove(pages(8, 11)).is_ok());
        assert!(map.remove(pages(13, 14)).is_ok(), "there is room for the split now");
    }

    #[test]
    fn an_update_is_refused_as_a_whole() {
        let mut map = map_with(4, 5);
        let before = contents(&map);
        assert_eq!(map.update(pages(1, 2), |vma| vma.prot = Prot::READ), Err(Errno::ENOMEM));
        assert_eq!(contents(&map), before);
        assert_eq!(map.update(pages(0, 1), |vma| vma.prot = Prot::READ), Ok(()));
        assert_eq!(map.update(pages(1, 2), |vma| vma.prot = Prot::READ), Ok(()), "moves an edge, splits nothing");
    }

    #[test]
    fn a_move_wants_a_reserve() {
        let mut map = map_with(4, 7);
        assert_eq!(map.move_range(pages(0, 3), pages(100, 103)), Err(Errno::ENOMEM));
        map.remove(pages(12, 15)).unwrap();
        assert_eq!(map.move_range(pages(0, 3), pages(100, 103)), Ok(()));
    }
}

mod holes {
    use super::*;

    const TOP_DOWN: Placement = Placement::TopDown { base: BASE };
    const HUGE: u64 = 0x20_0000;

    #[test]
    fn an_empty_map_gives_the_ends_of_the_window() {
        let map = VmaMap::default();
        assert_eq!(map.find_free(0x1001, 1, TOP_DOWN), Ok(range(BASE - 0x2000, BASE)));
        let low = map.find_free(0x1000, 1, Placement::BottomUp { base: TASK_UNMAPPED_BASE });
        assert_eq!(low.map(PageRange::start), Ok(TASK_UNMAPPED_BASE));
        assert_eq!(map.find_free(0x1000, 1, Placement::Low32Bit), Ok(range(0x4000_0000, 0x4000_1000)));
    }

    #[test]
    fn impossible_lengths_find_nothing() {
        let map = VmaMap::default();
        for len in [0, u64::MAX, TASK_SIZE, 1 << 63] {
            assert_eq!(map.find_free(len, 1, TOP_DOWN), Err(Errno::ENOMEM));
        }
        assert_eq!(map.find_free(0x4000_1000, 1, Placement::Low32Bit), Err(Errno::ENOMEM));
        assert_eq!(map.find_free(0x1000, 1 << 63, TOP_DOWN), Err(Errno::ENOMEM));
    }

    #[test]
    fn top_down_takes_the_highest_hole_that_fits() {
        let map = map_of([
            (range(BASE - 0x1000, BASE + 0x1000), Vma::anonymous(RW)),
            (range(BASE - 0x3000, BASE - 0x2000), file_vma(0)),
        ]);
        assert_eq!(map.find_free(0x1000, 1, TOP_DOWN), Ok(range(BASE - 0x2000, BASE - 0x1000)));
        assert_eq!(map.find_free(0x2000, 1, TOP_DOWN), Ok(range(BASE - 0x5000, BASE - 0x3000)));
    }

    #[test]
    fn alignment_skips_holes_that_only_seem_to_fit() {
        let map = map_of([(range(BASE - HUGE - 0x1000, BASE - HUGE), file_vma(0))]);
        let unaligned = Placement::TopDown { base: BASE - 0x1000 };
        assert_eq!(map.find_free(HUGE - 0x1000, HUGE, unaligned), Ok(range(BASE - HUGE, BASE - 0x1000)));
        assert_eq!(map.find_free(HUGE, HUGE, unaligned), Ok(range(BASE - 3 * HUGE, BASE - 2 * HUGE)));
        let low = Placement::BottomUp { base: BASE + 0x1000 };
        assert_eq!(map.find_free(HUGE, HUGE, low), Ok(range(BASE + HUGE, BASE + 2 * HUGE)));
    }

    #[test]
    fn no_hole_below_the_base_is_looked_for_above() {
        let map = map_of([(range(MMAP_MIN_ADDR, BASE), Vma::anonymous(RW))]);
        assert_eq!(map.find_free(0x1000, 1, TOP_DOWN), Ok(range(BASE, BASE + 0x1000)));
        let map = map_of([(range(MMAP_MIN_ADDR, TASK_SIZE), Vma::anonymous(RW))]);
        assert_eq!(map.find_free(0x1000, 1, TOP_DOWN), Err(Errno::ENOMEM));
        assert_eq!(map.find_free(0x1000, 1, Placement::Low32Bit), Err(Errno::ENOMEM));
    }

    #[test]
    fn the_lowest_pages_are_never_chosen() {
        let low = Placement::TopDown { base: MMAP_MIN_ADDR + 0x1000 };
        let map = VmaMap::default();
        assert_eq!(map.find_free(0x1000, 1, low), Ok(range(MMAP_MIN_ADDR, MMAP_MIN_ADDR + 0x1000)));
        assert_eq!(map.find_free(0x2000, 1, low).map(PageRange::start), Ok(TASK_UNMAPPED_BASE));
        assert_eq!(map.find_free(0x1000, 1, Placement::BottomUp { base: 0 }).map(PageRange::start), Ok(MMAP_MIN_ADDR));

        // MAP_FIXED may have put something there.
        let map = map_of([(range(0, 0x1000), Vma::anonymous(RW))]);
        assert_eq!(map.find_free(0x2000, 1, low).map(PageRange::start), Ok(TASK_UNMAPPED_BASE));
    }

    #[test]
    fn the_guard_gap_of_a_stack_is_no_hole() {
        // The stack lies above the window and its gap reaches into it.
        let map = map_of([(range(BASE + 0x1000, BASE + 0x2000), stack_vma())]);
        let gap_start = BASE + 0x1000 - STACK_GUARD_GAP;
        assert_eq!(map.find_free(0x1000, 1, TOP_DOWN).map(PageRange::end), Ok(gap_start));
        let up = Placement::BottomUp { base: gap_start - 0x1000 };
        assert_eq!(map.find_free(0x1000, 1, up), Ok(range(gap_start - 0x1000, gap_start)));
        assert_eq!(map.find_free(0x2000, 1, up), Ok(range(BASE + 0x2000, BASE + 0x4000)));
        assert!(map.accepts_hint(range(gap_start - 0x1000, gap_start)));
        assert!(!map.accepts_hint(range(gap_start, gap_start + 0x1000)));
        assert!(map.is_free(range(gap_start, gap_start + 0x1000)), "MAP_FIXED may still have it");
    }

    #[test]
    fn a_guard_gap_ends_at_the_next_vma_below() {
        let map = map_of([
            (range(BASE - 0x1000, BASE), stack_vma()),
            (range(BASE - 0x3000, BASE - 0x2000), Vma::anonymous(RW)),
        ]);
        assert_eq!(map.find_free(0x1000, 1, TOP_DOWN), Ok(range(BASE - 0x4000, BASE - 0x3000)));

        // The same where the gap would reach below the lowest address.
        let low = |start, end| range(MMAP_MIN_ADDR + start, MMAP_MIN_ADDR + end);
        let map = map_of([(low(0x4000, 0x5000), stack_vma()), (low(0x2000, 0x3000), Vma::anonymous(RW))]);
        let base = MMAP_MIN_ADDR + 0x5000;
        assert_eq!(map.find_free(0x1000, 1, Placement::TopDown { base }), Ok(low(0x1000, 0x2000)));
    }

    #[test]
    fn hints_must_be_free_and_not_low() {
        let map = map_of([(pages(2, 4), Vma::anonymous(RW))]);
        assert!(map.accepts_hint(pages(0, 2)) && map.accepts_hint(pages(4, 9)));
        assert!(!map.accepts_hint(pages(1, 3)) && !map.accepts_hint(pages(3, 5)));
        assert!(!map.accepts_hint(range(MMAP_MIN_ADDR - 0x1000, MMAP_MIN_ADDR)));
    }
}

mod growth {
    use super::*;

    const STACK_START: u64 = BASE;

    fn map_with_stack() -> VmaMap {
        map_of([(range(STACK_START, STACK_START + 0x4000), stack_vma())])
    }

    #[test]
    fn a_touch_below_adds_the_pages_between() {
        let mut map = map_with_stack();
        let added = map.grow_down(STACK_START - 0x2fff, &Limits::UNLIMITED);
        assert_eq!(added, Ok(range(STACK_START - 0x3000, STACK_START)));
        assert_eq!(contents(&map), [(range(STACK_START - 0x3000, STACK_START + 0x4000), stack_vma())]);
        assert_eq!(map.usage().stack, 0x7000);
    }

    #[test]
    fn only_a_touch_below_a_stack_grows_one() {
        let mut map = map_with_stack();
        assert_eq!(map.grow_down(STACK_START, &Limits::UNLIMITED), Err(Errno::EFAULT));
        assert_eq!(map.grow_down(STACK_START + 0x4000, &Limits::UNLIMITED), Err(Errno::EFAULT));
        assert_eq!(map.grow_down(MMAP_MIN_ADDR - 1, &Limits::UNLIMITED), Err(Errno::EPERM));
        let mut map = map_of([(pages(1, 2), Vma::anonymous(RW))]);
        assert_eq!(map.grow_down(pages(0, 1).start(), &Limits::UNLIMITED), Err(Errno::EFAULT));
    }

    #[test]
    fn each_limit_stops_growth() {
        let grow = |vma: Vma, limits: Limits| {
            let map = map_of([(range(STACK_START, STACK_START + 0x4000), vma)]);
            map.stack_growth(STACK_START - 0x1000, &limits).map(|_| ())
        };
        let unlimited = Limits::UNLIMITED;
        assert_eq!(grow(stack_vma(), Limits { stack: 0x5000, ..unlimited }), Ok(()));
        assert_eq!(grow(stack_vma(), Limits { stack: 0x4fff, ..unlimited }), Err(Errno::ENOMEM));
        assert_eq!(grow(stack_vma(), Limits { address_space: 0x5000, ..unlimited }), Ok(()));
        assert_eq!(grow(stack_vma(), Limits { address_space: 0x4fff, ..unlimited }), Err(Errno::ENOMEM));
        assert_eq!(grow(stack_vma(), Limits { data: 0, data_hard: 0, locked: 0, ..unlimited }), Ok(()));
        let locked = Vma { flags: VmaFlags::GROWSDOWN | VmaFlags::LOCKED, ..stack_vma() };
        assert_eq!(grow(locked, Limits { locked: 0x4fff, ..unlimited }), Err(Errno::ENOMEM));
    }

    #[test]
    fn the_guard_gap_holds_against_what_can_be_touched() {
        let touch = STACK_START - 0x1000;
        let grow_over = |below: Vma, gap: u64| {
            let mut map = map_with_stack();
            map.insert(range(touch - gap - 0x1000, touch - gap), below).unwrap();
            map.grow_down(touch, &Limits::UNLIMITED)
        };
        let added = Ok(range(touch, STACK_START));
        assert_eq!(grow_over(Vma::anonymous(RW), STACK_GUARD_GAP), added);
        assert_eq!(grow_over(Vma::anonymous(RW), STACK_GUARD_GAP - PAGE_SIZE), Err(Errno::ENOMEM));
        assert_eq!(grow_over(Vma::anonymous(Prot::empty()), 0), added);
        assert_eq!(grow_over(stack_vma(), 0), added);
    }

    #[test]
    fn data_limits_count_private_writable_memory_only() {
        let map = map_of([(pages(0, 4), Vma::anonymous(RW)), (pages(4, 8), Vma::anonymous(Prot::READ))]);
        let limits = Limits { data: 5 * PAGE_SIZE, ..Limits::UNLIMITED };
        assert!(map.may_expand(&Vma::anonymous(RW), PAGE_SIZE, &limits));
        assert!(!map.may_expand(&Vma::anonymous(RW), 2 * PAGE_SIZE, &limits));
        assert!(map.may_expand(&shared_vma(1, 0), 2 * PAGE_SIZE, &limits));
        assert!(!map.may_expand(&Vma::anonymous(RW), u64::MAX, &Limits::UNLIMITED));
        let valgrind = Limits { data: 0, data_hard: 5 * PAGE_SIZE, ..Limits::UNLIMITED };
        assert!(map.may_expand(&Vma::anonymous(RW), PAGE_SIZE, &valgrind));
        assert!(!map.may_expand(&Vma::anonymous(RW), 2 * PAGE_SIZE, &valgrind));
    }
}

/// The map against a plain array.
mod model {
    use super::*;

    /// Slots of the array.
    const NR_SLOTS: usize = 64;
    /// Bytes in a slot: a quarter of the guard gap, so that gaps fit into the array.
    const SLOT: u64 = STACK_GUARD_GAP / 4;
    /// End of the modelled addresses, which begin where the top-down search ends.
    const MODEL_END: u64 = MMAP_MIN_ADDR + 64 * SLOT;
    /// Step at which the model tries starts of holes: divides the slot, and the model's start is a multiple.
    const STEP: u64 = 0x1_0000;

    fn slot_addr(slot: usize) -> u64 {
        MMAP_MIN_ADDR + u64::try_from(slot).unwrap() * SLOT
    }

    fn slots(first: usize, end: usize) -> PageRange {
        range(slot_addr(first), slot_addr(end))
    }

    /// What each slot holds, its offset being that of the slot.
    #[derive(Debug)]
    struct Model(Vec<Option<Vma>>);

    impl Model {
        fn fill(&mut self, first: usize, end: usize, vma: &Vma) {
            for slot in first..end {
                self.0[slot] = Some(vma.skip(slot_addr(slot) - slot_addr(first)));
            }
        }

        /// The model as a canonical list of VMAs.
        fn runs(&self) -> Vec<Piece> {
            let mut runs: Vec<Piece> = Vec::new();
            for (slot, vma) in self.0.iter().enumerate() {
                let Some(vma) = vma else { continue };
                let here = slots(slot, slot + 1);
                match runs.last_mut() {
                    Some((run, first)) if run.end() == here.start() && first.skip(run.len()) == *vma => {
                        *run = range(run.start(), here.end());
                    }
                    _ => runs.push((here, vma.clone())),
                }
            }
            runs
        }

        fn usage(&self) -> Usage {
            let count = |counts: fn(&Vma) -> bool| -> u64 {
                self.0.iter().flatten().filter(|vma| counts(vma)).map(|_| SLOT).sum()
            };
            Usage {
                total: count(|_| true),
                locked: count(|vma| vma.flags.contains(VmaFlags::LOCKED)),
                data: count(|vma| vma.is_data()),
                stack: count(|vma| vma.grows_down()),
                code: count(|vma| vma.is_code()),
            }
        }

        /// Is `hole` free, and outside the gap if what comes next above it is a stack?
        fn is_hole(&self, hole: PageRange) -> bool {
            let occupied = || (0..NR_SLOTS).filter_map(|slot| Some((slots(slot, slot + 1), self.0[slot].as_ref()?)));
            let above = occupied().find(|(slot, _)| slot.start() >= hole.end());
            occupied().all(|(slot, _)| !slot.overlaps(hole))
                && above.is_none_or(|(slot, vma)| !vma.grows_down() || slot.start() - hole.end() >= STACK_GUARD_GAP)
        }

        /// All places for `len` bytes, from low to high.
        fn holes(&self, len: u64, align: u64) -> impl DoubleEndedIterator<Item = PageRange> {
            let starts = (MMAP_MIN_ADDR / STEP..MODEL_END / STEP).map(|n| n * STEP);
            starts
                .filter(move |start| start.is_multiple_of(align) && start + len <= MODEL_END)
                .map(move |start| range(start, start + len))
                .filter(|&hole| self.is_hole(hole))
        }
    }

    #[derive(Clone, Debug)]
    enum Op {
        Insert(usize, usize, Vma),
        Remove(usize, usize),
        Protect(usize, usize, Prot),
        ToggleLock(usize, usize),
        Move { from: usize, len: usize, to: usize, extra: usize },
        Find { len: u64, align: u64 },
        Grow(usize),
    }

    fn any_slots() -> impl Strategy<Value = (usize, usize)> {
        (0..NR_SLOTS, 1..12usize).prop_map(|(first, len)| (first, (first + len).min(NR_SLOTS)))
    }

    fn any_prot() -> impl Strategy<Value = Prot> {
        prop::sample::select(vec![Prot::empty(), Prot::READ, RW, Prot::READ | Prot::EXEC])
    }

    /// VMAs for a range at `first`; offsets follow the address half of the time, so that neighbours often go on.
    fn any_vma(first: usize) -> impl Strategy<Value = Vma> {
        let at_address = slot_addr(first) - MMAP_MIN_ADDR;
        let offset = prop_oneof![Just(at_address), (0..4u64).prop_map(|n| n * SLOT)];
        let backing = prop_oneof![
            Just(Backing::Anonymous),
            (0..2u64, offset.clone())
                .prop_map(|(object, offset)| Backing::SharedAnonymous { object: ObjectId(object), offset }),
            offset.prop_map(|offset| Backing::File { file: library(), offset }),
        ];
        (any_prot(), backing, prop::bool::weighted(0.2)).prop_map(|(prot, backing, grows_down)| {
            let flags = match backing {
                Backing::Anonymous if grows_down => VmaFlags::GROWSDOWN,
                Backing::SharedAnonymous { .. } => VmaFlags::SHARED,
                _ => VmaFlags::empty(),
            };
            Vma::new(prot, flags, backing)
        })
    }

    fn any_op() -> impl Strategy<Value = Op> {
        let insert =
            any_slots().prop_flat_map(|(first, end)| any_vma(first).prop_map(move |v| Op::Insert(first, end, v)));
        let moved = (0..NR_SLOTS - 8, 1..6usize, 0..NR_SLOTS - 8, 0..3usize);
        prop_oneof![
            4 => insert,
            2 => any_slots().prop_map(|(first, end)| Op::Remove(first, end)),
            2 => (any_slots(), any_prot()).prop_map(|((first, end), prot)| Op::Protect(first, end, prot)),
            1 => any_slots().prop_map(|(first, end)| Op::ToggleLock(first, end)),
            2 => moved.prop_map(|(from, len, to, extra)| Op::Move { from, len, to, extra }),
            2 => (1..80u64, prop::sample::select(vec![1, 0x20_0000]))
                .prop_map(|(steps, align)| Op::Find { len: steps * STEP, align }),
            1 => (0..NR_SLOTS).prop_map(Op::Grow),
        ]
    }

    fn check_insert(map: &mut VmaMap, model: &mut Model, (first, end): (usize, usize), vma: Vma) {
        let is_free = model.0[first..end].iter().all(Option::is_none);
        assert_eq!(map.is_free(slots(first, end)), is_free);
        assert_eq!(map.insert(slots(first, end), vma.clone()).is_ok(), is_free);
        if is_free {
            model.fill(first, end, &vma);
        }
    }

    fn check_remove(map: &mut VmaMap, model: &mut Model, (first, end): (usize, usize)) {
        let covered = model.0[first..end].iter().flatten().count();
        assert_eq!(map.covers_whole(slots(first, end)), covered == end - first);
        let removed = map.remove(slots(first, end)).unwrap();
        let mut gone = Model(vec![None; NR_SLOTS]);
        for slot in first..end {
            gone.0[slot] = model.0[slot].take();
        }
        assert_eq!(removed, gone.runs());
    }

    fn check_update(map: &mut VmaMap, model: &mut Model, (first, end): (usize, usize), change: impl Fn(&mut Vma)) {
        map.update(slots(first, end), &change).unwrap();
        model.0[first..end].iter_mut().flatten().for_each(change);
    }

    fn check_move(map: &mut VmaMap, model: &mut Model, (from, len): (usize, usize), (to, new_len): (usize, usize)) {
        let overlaps = from < to + new_len && to < from + len;
        let is_free = model.0[to..to + new_len].iter().all(Option::is_none);
        let is_possible = !overlaps && is_free && model.0[from + len - 1].is_some();
        let result = map.move_range(slots(from, from + len), slots(to, to + new_len));
        assert_eq!(result.is_ok(), is_possible, "{result:?}");
        if is_possible {
            for n in 0..len {
                model.0[to + n] = model.0[from + n].take();
            }
            if let Some(last) = model.0[to + len - 1].clone() {
                model.fill(to + len - 1, to + new_len, &last);
            }
        }
    }

    fn check_find(map: &VmaMap, model: &Model, len: u64, align: u64) {
        let fallback = TASK_UNMAPPED_BASE.next_multiple_of(align);
        let highest = model.holes(len, align).next_back().map_or(fallback, PageRange::start);
        let found = map.find_free(len, align, Placement::TopDown { base: MODEL_END }).unwrap();
        assert_eq!((found.start(), found.len()), (highest, len));

        // Above the model all is free, so the lowest hole may reach beyond its end.
        let lowest = model.holes(len, align).next().map(PageRange::start);
        let found = map.find_free(len, align, Placement::BottomUp { base: 0 }).unwrap();
        assert!(model.is_hole(found) && found.len() == len && found.start().is_multiple_of(align));
        assert!(lowest.is_none_or(|lowest| lowest == found.start()));
        assert!(map.accepts_hint(found));
    }

    fn check_grow(map: &mut VmaMap, model: &mut Model, slot: usize) {
        let above = (slot..NR_SLOTS).find(|&n| model.0[n].is_some());
        let below = (0..slot).rev().find(|&n| model.0[n].is_some());
        let grown = above.and_then(|n| Some((n, model.0[n].clone()?))).filter(|(n, vma)| *n > slot && vma.grows_down());
        let keeps_gap = below.is_none_or(|n| {
            let vma = model.0[n].as_ref().unwrap();
            vma.grows_down() || vma.prot.is_empty() || slot - (n + 1) >= 4
        });
        let result = map.grow_down(slot_addr(slot), &Limits::UNLIMITED);
        assert_eq!(result.is_ok(), grown.is_some() && keeps_gap, "{result:?}");
        if let (Ok(added), Some((above, vma))) = (result, grown) {
            assert_eq!(added, slots(slot, above));
            model.fill(slot, above, &vma);
        }
    }

    fn apply(map: &mut VmaMap, model: &mut Model, op: Op) {
        match op {
            Op::Insert(first, end, vma) => check_insert(map, model, (first, end), vma),
            Op::Remove(first, end) => check_remove(map, model, (first, end)),
            Op::Protect(first, end, prot) => check_update(map, model, (first, end), |vma| vma.prot = prot),
            Op::ToggleLock(first, end) => {
                check_update(map, model, (first, end), |vma| vma.flags.toggle(VmaFlags::LOCKED));
            }
            Op::Move { from, len, to, extra } => check_move(map, model, (from, len), (to, len + extra)),
            Op::Find { len, align } => check_find(map, model, len, align),
            Op::Grow(slot) => check_grow(map, model, slot),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

        #[test]
        fn random_operations_agree_with_the_model(ops in prop::collection::vec(any_op(), 1..60)) {
            let mut map = VmaMap::default();
            let mut model = Model(vec![None; NR_SLOTS]);
            for op in ops {
                let before = (map.generation(), contents(&map));
                apply(&mut map, &mut model, op);
                let after = contents(&map);
                // Equal lists mean equal pages, and that nothing mergeable is left apart.
                prop_assert_eq!(&after, &model.runs());
                prop_assert_eq!(map.usage(), model.usage());
                prop_assert!(after == before.1 || map.generation() > before.0);
            }
        }
    }
}
