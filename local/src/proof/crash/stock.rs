//! The flows of the stock.

use std::time::Duration;

use super::flow::Flow;
use super::stage::Stage;

const MINUTE: Duration = Duration::from_secs(60);
/// How long the stock is seen to: what was ordered and got lost is ordered anew after an hour.
const MINUTES: u32 = 150;
/// How many units there are to be.
const TARGET: u64 = 2;

impl Stage {
    pub(super) async fn play_stock(&self, flow: Flow) -> anyhow::Result<()> {
        let payment = &flow.payments()[0];
        match flow {
            Flow::StockFilled => self.points.open(),
            _ => self.fill().await?,
        }
        match flow {
            Flow::StockFilled => self.fill().await?,
            Flow::StockTooOld => {
                self.world.wait(Duration::from_secs(7 * 3600)).await;
                self.points.open();
                self.fill().await?;
            }
            _ => self.points.open(),
        }
        self.sell(payment).await?;
        self.quiet().await?;
        // What was sold or got lost on the way comes again.
        self.fill().await?;
        self.settle().await
    }

    /// Sees to the stock every minute until it is full, and once more.
    async fn fill(&self) -> anyhow::Result<()> {
        for minute in 0..MINUTES {
            // At first as the schedule does; while an order is given up, now and then.
            if minute < 4 || minute % 20 == 0 {
                for _ in 0..self.times {
                    if let Some(done) = self.world.restock().await
                        && done.available >= TARGET
                        && done.thrown_away == 0
                        && done.ordered == 0
                    {
                        return self.settle().await;
                    }
                }
            }
            self.world.wait(MINUTE).await;
        }
        anyhow::bail!("the stock is not full after {MINUTES} minutes")
    }
}
