//! Symmetric positive definite systems, solved in place.

/// Solves `matrix * x = right` by Cholesky factorisation. `matrix` is row-major and only its lower
/// triangle is read; it is overwritten by the factor. `None` when it is not positive definite.
pub(crate) fn solve(matrix: &mut [f64], right: &[f64]) -> Option<Vec<f64>> {
    let size = right.len();
    factorise(matrix, size)?;
    let mut x = right.to_vec();
    for row in 0..size {
        let known: f64 = (0..row)
            .map(|column| matrix[row * size + column] * x[column])
            .sum();
        x[row] = (x[row] - known) / matrix[row * size + row];
    }
    for row in (0..size).rev() {
        let known: f64 = (row + 1..size)
            .map(|below| matrix[below * size + row] * x[below])
            .sum();
        x[row] = (x[row] - known) / matrix[row * size + row];
    }
    x.iter().all(|value| value.is_finite()).then_some(x)
}

fn factorise(matrix: &mut [f64], size: usize) -> Option<()> {
    for row in 0..size {
        for column in 0..=row {
            let (upper, lower) = matrix.split_at(row * size);
            let known: f64 = if column == row {
                lower[..row].iter().map(|value| value * value).sum()
            } else {
                let other = &upper[column * size..column * size + column];
                lower[..column].iter().zip(other).map(|(a, b)| a * b).sum()
            };
            let rest = matrix[row * size + column] - known;
            if column < row {
                matrix[row * size + column] = rest / matrix[column * size + column];
            } else if rest > 0.0 && rest.is_finite() {
                matrix[row * size + row] = rest.sqrt();
            } else {
                return None;
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::solve;

    #[test]
    fn a_small_system_is_solved() {
        let mut matrix = vec![4.0, 0.0, 0.0, 2.0, 5.0, 0.0, 1.0, 3.0, 6.0];
        let x = solve(&mut matrix, &[7.0, 10.0, 10.0]).unwrap();
        for (got, expected) in x.iter().zip([1.0, 1.0, 1.0]) {
            assert!((got - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn a_singular_system_has_no_answer() {
        assert!(solve(&mut [1.0, 0.0, 1.0, 1.0], &[1.0, 1.0]).is_none());
    }
}
