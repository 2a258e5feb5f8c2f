import { createRouter, createWebHistory, type RouteLocationNormalized } from 'vue-router';
import type { Deed } from './lib/roles';
import JobsView from './views/JobsView.vue';

declare module 'vue-router' {
  interface RouteMeta {
    /** What a page is for, where not everybody may do that. */
    needs?: Deed;
    /** Of routes that are one page. */
    page?: string;
  }
}

function parameter(route: Pick<RouteLocationNormalized, 'params'>, name: string): string {
  const value = route.params[name];
  return typeof value === 'string' ? value : '';
}

// All parts of a job are one page: going from one to another keeps what was read.
const jobPage = {
  component: () => import('./views/JobView.vue'),
  meta: { page: 'job' },
  props: (route: RouteLocationNormalized) => ({ jobID: parameter(route, 'jobID'), taskID: parameter(route, 'taskID') }),
};

export const router = createRouter({
  history: createWebHistory('/app/'),
  routes: [
    { path: '/', name: 'home', component: () => import('./views/HomeView.vue') },
    { path: '/jobs', name: 'jobs', component: JobsView },
    { path: '/jobs/:jobID/frames/:frame?', name: 'job-frames', ...jobPage },
    { path: '/jobs/:jobID/preview', name: 'job-preview', ...jobPage },
    { path: '/jobs/:jobID/:part(workers|settings|details|history)', name: 'job-part', ...jobPage },
    { path: '/jobs/:jobID/:taskID?', name: 'job', ...jobPage },
    { path: '/shots', name: 'shots', component: () => import('./views/ShotsView.vue') },
    { path: '/workers', name: 'workers', component: () => import('./views/WorkersView.vue') },
    {
      path: '/workers/:workerID',
      name: 'worker',
      meta: { page: 'worker' },
      component: () => import('./views/WorkerView.vue'),
      props: (route) => ({ workerID: parameter(route, 'workerID') }),
    },
    { path: '/tags', name: 'tags', component: () => import('./views/TagsView.vue') },
    { path: '/last-rendered', name: 'last-rendered', component: () => import('./views/LastRenderedView.vue') },
    { path: '/settings', name: 'settings', meta: { needs: 'change settings' }, component: () => import('./views/SettingsView.vue') },
    { path: '/audit', name: 'audit', meta: { needs: 'read the audit trail' }, component: () => import('./views/AuditView.vue') },
    { path: '/log', name: 'manager-log', meta: { needs: 'read the log of the manager' }, component: () => import('./views/ManagerLogView.vue') },
    // Shown in place of the farm, as it is wherever a token is wanted.
    { path: '/sign-in', name: 'sign-in', component: { render: () => null } },
    // Shown by the setup assistant itself, and only while the manager wants one.
    { path: '/setup/:step?', name: 'setup', component: { render: () => null } },
    { path: '/:rest(.*)*', name: 'not-found', component: () => import('./views/NotFoundView.vue') },
  ],
});
