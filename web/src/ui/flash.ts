/** All flashing things of a page flash together: many lights out of step would add up to a rate no standard and no eye allows. The rates stand in styles/alarm.css. */
export function inStep(node: HTMLElement): () => void {
  const align = (event: AnimationEvent): void => {
    if (event.target !== node) return;
    for (const animation of node.getAnimations()) animation.startTime = 0;
  };
  node.addEventListener("animationstart", align);
  return () => { node.removeEventListener("animationstart", align); };
}
