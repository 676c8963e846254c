//! The table for people and the JSON beside it.

use serde_json::{Value, json};

use crate::comparison::{Comparison, Series};

/// Columns of figures after the name and the unit of a row.
pub(crate) struct Column {
    title: &'static str,
    width: usize,
    cell: fn(&Comparison) -> Option<f64>,
}

impl Column {
    const fn new(title: &'static str, width: usize, cell: fn(&Comparison) -> Option<f64>) -> Self {
        Self { title, width, cell }
    }
}

/// All of the table: by the clock, then CPU time.
pub(crate) const ALL: &[Column] = &[
    Column::new("native", 9, |row| row.native.wall()),
    Column::new("kvm-se", 9, |row| row.kvm_se.wall()),
    Column::new("qemu-user", 9, |row| row.qemu_user.wall()),
    Column::new("floor", 7, |row| row.floor.wall()),
    Column::new("/native", 8, |row| ratio(row.kvm_se.wall(), row.native.wall())),
    Column::new("/floor", 8, |row| ratio(row.kvm_se.wall(), row.floor.wall())),
    Column::new("cpu native", 12, |row| row.native.cpu()),
    Column::new("kvm-se", 9, |row| row.kvm_se.cpu()),
    Column::new("qemu-user", 9, |row| row.qemu_user.cpu()),
    Column::new("floor", 7, |row| row.floor.cpu()),
    Column::new("/native", 8, |row| ratio(row.kvm_se.cpu(), row.native.cpu())),
    Column::new("/floor", 8, |row| ratio(row.kvm_se.cpu(), row.floor.cpu())),
];

/// What an exit costs, for docs/kvm-flavours.md.
pub(crate) const FLOOR: &[Column] = &[
    Column::new("native", 12, |row| row.native.wall()),
    Column::new("kvm-se", 12, |row| row.kvm_se.wall()),
    Column::new("floor", 12, |row| row.floor.wall()),
    Column::new("/native", 10, |row| ratio(row.kvm_se.wall(), row.native.wall())),
    Column::new("/floor", 10, |row| ratio(row.kvm_se.wall(), row.floor.wall())),
];

/// The titles of `columns`.
pub(crate) fn heading(columns: &[Column]) -> String {
    columns.iter().fold(start_of_line("", ""), |line, column| format!("{line} {:>1$}", column.title, column.width))
}

/// What was measured, in `columns`.
pub(crate) fn line(comparison: &Comparison, columns: &[Column]) -> String {
    columns.iter().fold(start_of_line(comparison.row.name, comparison.row.unit), |line, column| {
        let cell = (column.cell)(comparison).map_or_else(|| "-".into(), number);
        format!("{line} {cell:>0$}", column.width)
    })
}

/// A row that cannot be measured here.
pub(crate) fn skipped(name: &str, why: &str) -> String {
    format!("{name:<28} skip: {why}")
}

/// The medians and all samples, wall and CPU time in the unit of each row.
pub(crate) fn json(comparisons: &[Comparison], runs: usize) -> Value {
    let rows: Vec<Value> = comparisons.iter().map(row_json).collect();
    json!({ "runs": runs, "rows": rows })
}

fn row_json(comparison: &Comparison) -> Value {
    json!({
        "name": comparison.row.name,
        "unit": comparison.row.unit,
        "native": series_json(&comparison.native),
        "kvm-se": series_json(&comparison.kvm_se),
        "qemu-user": series_json(&comparison.qemu_user),
        "floor": series_json(&comparison.floor),
    })
}

fn series_json(series: &Series) -> Value {
    json!({
        "wall": series.wall(),
        "cpu": series.cpu(),
        "runs": series.samples.iter().map(|run| json!({ "wall": run.wall, "cpu": run.cpu })).collect::<Vec<_>>(),
        "failure": series.failure,
    })
}

fn start_of_line(name: &str, unit: &str) -> String {
    format!("{name:<28} {unit:>10}")
}

/// Two digits after the point, where the figure is not large.
fn number(figure: f64) -> String {
    if figure < 1e3 { format!("{figure:.2}") } else { format!("{figure:.0}") }
}

fn ratio(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    Some(one? / other.filter(|&other| other > 0.0)?)
}
