import type { Page } from "../../kit/page.ts";
import PatientPage from "./PatientPage.svelte";
import PatientsPage from "./PatientsPage.svelte";

export const pages: readonly Page[] = [
  { path: "/patients", title: "patients-title", needs: ["history-view"], nav: { group: "ward", order: 20 }, component: PatientsPage },
  { path: "/patients/:subject", title: "patient-title", needs: ["history-view", "break-glass"], component: PatientPage },
];
