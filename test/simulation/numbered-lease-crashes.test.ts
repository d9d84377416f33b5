// Crash points on a store whose leases are numbered files.
import { describeCrashPoints } from "./describe-crash-points.ts";

describeCrashPoints("numbered", false);
