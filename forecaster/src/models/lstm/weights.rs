//! Weights as safetensors, with PyTorch's names.
//!
//! Promises: what is written is read back bit for bit, and `torch.nn.LSTM` takes it as it is. A file with a missing,
//! misshapen or non-finite tensor is refused. Must not know: files.

use std::collections::HashMap;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::activation::Activation;
use super::parameters::{LAYERS, Parameters, Shape, Tensor};

/// Metadata key of the activation's name.
const ACTIVATION: &str = "activation";

/// Why weights could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The bytes are no safetensors file.
    #[error("weights are not in the safetensors format")]
    Format(#[from] safetensors::SafeTensorError),
    /// The file is for another network.
    #[error("weights have no tensor {name} of shape {expected:?} in 32-bit floats")]
    Tensor {
        /// PyTorch's name.
        name: String,
        /// PyTorch's dimensions.
        expected: Vec<usize>,
    },
    /// A weight is infinite or no number.
    #[error("tensor {name} has the value {value} at {position}")]
    NotFinite {
        /// PyTorch's name.
        name: String,
        /// Index in row-major order.
        position: usize,
        /// The value.
        value: f32,
    },
    /// The metadata name no activation that is known.
    #[error("weights are for the activation {name:?}, known are tanh and relu")]
    Activation {
        /// The name found.
        name: String,
    },
}

/// The file of a network.
///
/// # Errors
/// If the header cannot be written.
pub(super) fn to_bytes(parameters: &Parameters, activation: Activation) -> Result<Vec<u8>, WeightsError> {
    let shape = parameters.shape();
    let bytes: Vec<u8> = parameters.flat().iter().flat_map(|weight| weight.to_le_bytes()).collect();
    let views = Tensor::ALL.map(|tensor| {
        let range = tensor.range(shape);
        let view = TensorView::new(Dtype::F32, tensor.dimensions(shape), &bytes[4 * range.start..4 * range.end]);
        view.map(|view| (tensor.name(), view))
    });
    let views = views.into_iter().collect::<Result<Vec<_>, _>>()?;
    let metadata = HashMap::from([(ACTIVATION.to_owned(), activation.name().to_owned())]);
    Ok(safetensors::serialize(views, Some(metadata))?)
}

/// The network of a file. Without metadata, as PyTorch writes it, the activation is tanh.
///
/// # Errors
/// If the file is none, or for another network.
pub(super) fn from_bytes(bytes: &[u8]) -> Result<(Parameters, Activation), WeightsError> {
    let (_, metadata) = SafeTensors::read_metadata(bytes)?;
    let name = metadata.metadata().as_ref().and_then(|metadata| metadata.get(ACTIVATION));
    let activation = match name {
        None => Activation::default(),
        Some(name) => Activation::named(name).ok_or_else(|| WeightsError::Activation { name: name.clone() })?,
    };
    let file = SafeTensors::deserialize(bytes)?;
    let mut parameters = Parameters::zeros(shape(&file)?);
    for tensor in Tensor::ALL {
        read(&file, tensor, &mut parameters)?;
    }
    Ok((parameters, activation))
}

/// The sizes, from the first layer's input weights and the head's.
fn shape(file: &SafeTensors<'_>) -> Result<Shape, WeightsError> {
    let dimensions = |tensor: Tensor| match file.tensor(&tensor.name()).ok().map(|view| view.shape().to_vec()) {
        Some(dimensions) if dimensions.len() == 2 => Ok((dimensions[0], dimensions[1])),
        _ => Err(WeightsError::Tensor { name: tensor.name(), expected: vec![0, 0] }),
    };
    let ((outputs, hidden), (_, inputs)) = (dimensions(Tensor::HeadWeight)?, dimensions(Tensor::WeightIh(0))?);
    // Sizes from a file decide how much is allocated, so they must be ones that the file can hold.
    let bound = file.iter().map(|(_, view)| view.data().len()).max().unwrap_or(0);
    let plausible = inputs > 0 && hidden > 0 && outputs > 0 && LAYERS * hidden.saturating_mul(hidden) <= bound;
    plausible
        .then_some(Shape { inputs, hidden, outputs })
        .ok_or_else(|| WeightsError::Tensor { name: Tensor::WeightHh(0).name(), expected: vec![4 * hidden, hidden] })
}

fn read(file: &SafeTensors<'_>, tensor: Tensor, parameters: &mut Parameters) -> Result<(), WeightsError> {
    let (name, expected) = (tensor.name(), tensor.dimensions(parameters.shape()));
    let view = file.tensor(&name).ok().filter(|view| view.dtype() == Dtype::F32 && view.shape() == expected);
    let Some(view) = view else { return Err(WeightsError::Tensor { name, expected }) };
    let range = tensor.range(parameters.shape());
    let (values, _) = view.data().as_chunks::<4>();
    for (position, (slot, bytes)) in parameters.flat_mut()[range].iter_mut().zip(values).enumerate() {
        let value = f32::from_le_bytes(*bytes);
        if !value.is_finite() {
            return Err(WeightsError::NotFinite { name, position, value });
        }
        *slot = value;
    }
    Ok(())
}
