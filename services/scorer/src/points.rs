//! The points of one series as one compact block.
//!
//! Layout, little-endian: format (u8, 2), hours (u32), drivers (u16), then as f64 the means, the five
//! quantiles hour by hour, the drivers hour by hour, the factors of the ends band by band (not in
//! format 1). Full precision, so that drivers still add up to the mean after storage, and smaller than
//! the same numbers as JSON.

use foretide_domain::Quantiles;
use foretide_forecasting::{ENDS, EndFactors, HORIZON_BANDS};

const FORMAT: u8 = 2;
/// The one without factors.
const UNMOVED_FORMAT: u8 = 1;
const HEADER: usize = 7;
const LEVELS: usize = 5;

/// Means, quantiles and drivers of a series, hour by hour, and how far its ends were moved.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Points {
    pub(crate) mean: Vec<f64>,
    pub(crate) quantiles: Vec<Quantiles>,
    /// Row by row: as many a row as the forecast has drivers.
    pub(crate) drivers: Vec<f64>,
    /// Factors that are already in the quantiles.
    pub(crate) ends: EndFactors,
}

impl Points {
    pub(crate) fn hours(&self) -> usize {
        self.mean.len()
    }

    /// Forgets all but the first hours.
    pub(crate) fn keep_first(&mut self, hours: usize) {
        let width = self.drivers.len() / self.hours().max(1);
        self.mean.truncate(hours);
        self.quantiles.truncate(hours);
        self.drivers.truncate(hours * width);
    }

    /// Drivers of one hour.
    pub(crate) fn drivers_of(&self, hour: usize) -> &[f64] {
        let width = self.drivers.len() / self.hours().max(1);
        &self.drivers[hour * width..(hour + 1) * width]
    }

    /// The block that is stored.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let hours = self.hours();
        let width = self.drivers.len() / hours.max(1);
        let factors = self.ends.values();
        let numbers = hours * (1 + LEVELS + width) + ENDS * HORIZON_BANDS;
        let mut block = Vec::with_capacity(HEADER + 8 * numbers);
        block.push(FORMAT);
        block.extend(
            u32::try_from(hours)
                .expect("a horizon is at most 336 hours")
                .to_le_bytes(),
        );
        block.extend(
            u16::try_from(width)
                .expect("a model has few drivers")
                .to_le_bytes(),
        );
        let quantiles = self.quantiles.iter().flat_map(Quantiles::values);
        for value in self
            .mean
            .iter()
            .copied()
            .chain(quantiles)
            .chain(self.drivers.iter().copied())
            .chain(factors.into_iter().flatten())
        {
            block.extend(value.to_le_bytes());
        }
        block
    }

    /// Reads a stored block. The error says what does not fit.
    pub(crate) fn decode(block: &[u8]) -> Result<Self, String> {
        let (header, body) = block
            .split_at_checked(HEADER)
            .ok_or("it is shorter than its header")?;
        let numbers_of_ends = match header[0] {
            FORMAT => ENDS * HORIZON_BANDS,
            UNMOVED_FORMAT => 0,
            other => {
                return Err(format!(
                    "its format is {other}, known are {UNMOVED_FORMAT} and {FORMAT}"
                ));
            }
        };
        let hours = u32::from_le_bytes([header[1], header[2], header[3], header[4]]) as usize;
        let width = usize::from(u16::from_le_bytes([header[5], header[6]]));
        let expected = hours
            .checked_mul(8 * (1 + LEVELS + width))
            .and_then(|bytes| bytes.checked_add(8 * numbers_of_ends));
        if expected != Some(body.len()) {
            return Err(format!(
                "{} bytes do not hold {hours} hours with {width} drivers",
                body.len()
            ));
        }
        let (values, _) = body.as_chunks::<8>();
        let numbers: Vec<f64> = values
            .iter()
            .map(|bytes| f64::from_le_bytes(*bytes))
            .collect();
        let (mean, rest) = numbers.split_at(hours);
        let (quantiles, rest) = rest.split_at(hours * LEVELS);
        let (drivers, factors) = rest.split_at(hours * width);
        let (quantiles, _) = quantiles.as_chunks::<LEVELS>();
        let quantiles: Result<_, _> = quantiles
            .iter()
            .map(|values| Quantiles::new(*values))
            .collect();
        Ok(Self {
            mean: mean.to_vec(),
            quantiles: quantiles.map_err(|error| error.to_string())?,
            drivers: drivers.to_vec(),
            ends: read_factors(factors)?,
        })
    }
}

/// The factors of a block; of one without any, as trained.
fn read_factors(numbers: &[f64]) -> Result<EndFactors, String> {
    let (bands, _) = numbers.as_chunks::<ENDS>();
    if bands.is_empty() {
        return Ok(EndFactors::default());
    }
    let factors = <[_; HORIZON_BANDS]>::try_from(bands).ok();
    let factors = factors.and_then(EndFactors::new);
    factors.ok_or_else(|| "the factors of its ends are out of bounds".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn points(hours: usize, width: usize) -> Points {
        let number = |index: usize| f64::from(u32::try_from(index).unwrap()) / 3.0;
        Points {
            mean: (0..hours).map(number).collect(),
            quantiles: (0..hours)
                .map(|hour| {
                    Quantiles::new([0.1, 0.2, 0.3, 0.4, 0.5].map(|v| v + number(hour))).unwrap()
                })
                .collect(),
            drivers: (0..hours * width).map(number).collect(),
            ends: EndFactors::new([[0.5, 1.0, 1.25, 3.0]; HORIZON_BANDS]).unwrap(),
        }
    }

    #[test]
    fn what_is_stored_is_read_bit_by_bit() {
        for (hours, width) in [(0, 0), (1, 0), (72, 8), (336, 20)] {
            let points = points(hours, width);
            assert_eq!(Points::decode(&points.encode()), Ok(points));
        }
    }

    #[test]
    fn a_block_is_smaller_than_json() {
        let points = points(72, 12);
        let json = serde_json::json!({
            "mean": points.mean,
            "quantiles": points.quantiles,
            "drivers": points.drivers,
        });
        let (block, json) = (points.encode().len(), json.to_string().len());
        assert_eq!(block, 10_535);
        assert!(
            block * 10 < json * 7,
            "block {block} bytes, JSON {json} bytes"
        );
    }

    #[test]
    fn blocks_from_before_there_were_factors_are_read() {
        let points = points(3, 2);
        let mut old = points.encode();
        old.truncate(old.len() - 8 * ENDS * HORIZON_BANDS);
        old[0] = UNMOVED_FORMAT;
        let read = Points::decode(&old).unwrap();
        assert_eq!(read.ends, EndFactors::default());
        assert_eq!(read.quantiles, points.quantiles);
    }

    #[test]
    fn damage_is_named() {
        let good = points(3, 2).encode();
        assert!(Points::decode(&good[..5]).unwrap_err().contains("header"));
        assert!(
            Points::decode(&good[..good.len() - 1])
                .unwrap_err()
                .contains("do not hold")
        );
        let mut other = good.clone();
        other[0] = 9;
        assert!(Points::decode(&other).unwrap_err().contains("format is 9"));
        let mut crossing = good.clone();
        crossing[HEADER + 8 * 3..HEADER + 8 * 4].copy_from_slice(&99.0_f64.to_le_bytes());
        assert!(
            Points::decode(&crossing)
                .unwrap_err()
                .contains("below the one before")
        );
        let mut wild = good.clone();
        let last = wild.len() - 8;
        wild[last..].copy_from_slice(&f64::NAN.to_le_bytes());
        assert!(Points::decode(&wild).unwrap_err().contains("factors"));
        let mut huge = good;
        huge[1..5].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(Points::decode(&huge).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            if let Ok(points) = Points::decode(&bytes) {
                prop_assert_eq!(points.quantiles.len(), points.hours());
            }
        }
    }
}
