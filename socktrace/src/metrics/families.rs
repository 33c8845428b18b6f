//! Families of metrics, each encoded in one call.

use std::fmt;

use prometheus_client::encoding::{
    DescriptorEncoder, EncodeGaugeValue, EncodeLabelSet, NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

/// A name and its help.
pub(super) type Named<'a> = (&'a str, &'a str);

/// A gauge without labels; its family alone where there is no value.
pub(super) fn gauge<V: EncodeGaugeValue>(
    to: &mut DescriptorEncoder<'_>,
    (name, help): Named<'_>,
    unit: Option<&Unit>,
    value: Option<V>,
) -> fmt::Result {
    let mut metric = to.encode_descriptor(name, help, unit, MetricType::Gauge)?;
    match value {
        Some(value) => metric.encode_gauge(&value),
        None => Ok(()),
    }
}

/// A gauge with labels.
pub(super) fn gauges<S: EncodeLabelSet, V: EncodeGaugeValue>(
    to: &mut DescriptorEncoder<'_>,
    (name, help): Named<'_>,
    unit: Option<&Unit>,
    samples: impl IntoIterator<Item = (S, V)>,
) -> fmt::Result {
    let mut metric = to.encode_descriptor(name, help, unit, MetricType::Gauge)?;
    for (labels, value) in samples {
        metric.encode_family(&labels)?.encode_gauge(&value)?;
    }
    Ok(())
}

/// A counter without labels.
pub(super) fn counter(
    to: &mut DescriptorEncoder<'_>,
    (name, help): Named<'_>,
    value: u64,
) -> fmt::Result {
    to.encode_descriptor(name, help, None, MetricType::Counter)?
        .encode_counter::<NoLabelSet, _, u64>(&value, None)
}

/// A counter with labels.
pub(super) fn counters<S: EncodeLabelSet>(
    to: &mut DescriptorEncoder<'_>,
    (name, help): Named<'_>,
    samples: impl IntoIterator<Item = (S, u64)>,
) -> fmt::Result {
    let mut metric = to.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (labels, value) in samples {
        metric
            .encode_family(&labels)?
            .encode_counter::<NoLabelSet, _, u64>(&value, None)?;
    }
    Ok(())
}
