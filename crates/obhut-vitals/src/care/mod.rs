//! Care at the bed: who leaves it, who falls, who is to be turned, and which infusion ends soon.
//!
//! Small state machines over the movement sensor's and the pump's values. They alarm nothing themselves: they give [`Finding`]s, which the
//! alarm engine signals by the ward's profile. The movement sensor sends two codes (docs/care.md): whether somebody lies in the bed
//! (`OBHUT_BED_OCCUPIED`, 0 or 1) and the share of the last period with movement (`OBHUT_BED_MOVEMENT`, percent).
//! What always holds: a silent sensor is [`Lying::Unknown`], never "in bed"; a pump that says nothing has no time left to show.
//!
//! [`Finding`]: crate::alarm::Finding

mod infusion;
mod movement;

pub use infusion::{Infusion, InfusionPlan, InfusionState, TimeLeft};
pub use movement::{CarePlan, Lying, Movement, MovementEvent};
