// Crash points on a store whose lease is an object that is replaced conditionally.
import { describeCrashPoints } from "./describe-crash-points.ts";

describeCrashPoints("conditional", true);
