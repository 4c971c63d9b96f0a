import sys,time
import numpy as np
import torch
from copy import deepcopy

import utils

class Appr(object):
    """ Written as the original's files are: a loop of its own, the helpers of utils, settings read from args """

    def __init__(self,model,nepochs=100,sbatch=64,lr=0.05,lr_min=1e-4,lr_factor=3,lr_patience=5,clipgrad=100,args=None):
        self.model=model
        self.model_old=None
        self.fisher=None

        self.nepochs=nepochs
        self.sbatch=sbatch
        self.lr=lr
        self.lr_min=lr_min
        self.lr_factor=lr_factor
        self.lr_patience=lr_patience
        self.clipgrad=clipgrad
        self.device=args.device

        self.ce=torch.nn.CrossEntropyLoss()
        self.optimizer=self._get_optimizer()
        self.lamb=float(args.parameter) if len(args.parameter)>=1 else 10
        self.T=args.temperature
        return

    def _get_optimizer(self,lr=None):
        if lr is None: lr=self.lr
        return torch.optim.SGD(self.model.parameters(),lr=lr)

    def train(self,t,xtrain,ytrain,xvalid,yvalid,data,inputsize,taskcla):
        assert data[t]['ncla']==taskcla[t][1] and list(xtrain.shape[1:])==list(inputsize)
        best_loss=np.inf
        best_model=utils.get_model(self.model)
        lr=self.lr
        patience=self.lr_patience
        self.optimizer=self._get_optimizer(lr)
        for e in range(self.nepochs):
            self.train_epoch(t,xtrain,ytrain)
            train_loss,train_acc=self.eval(t,xtrain,ytrain)
            valid_loss,valid_acc=self.eval(t,xvalid,yvalid)
            print('| Epoch {:3d} | Train: loss={:.3f}, acc={:5.1f}% |'.format(e+1,train_loss,100*train_acc),end='')
            if valid_loss<best_loss:
                best_loss=valid_loss
                best_model=utils.get_model(self.model)
                patience=self.lr_patience
                print(' *',end='')
            else:
                patience-=1
                if patience<=0:
                    lr/=self.lr_factor
                    if lr<self.lr_min:
                        break
                    patience=self.lr_patience
                    self.optimizer=self._get_optimizer(lr)
            print()
        utils.set_model_(self.model,best_model)

        self.model_old=deepcopy(self.model)
        self.model_old.eval()
        utils.freeze_model(self.model_old)
        old=self.fisher
        self.fisher=utils.fisher_matrix_diag(t,xtrain,ytrain,self.model,self.criterion,sbatch=50)
        if t>0:
            for n,_ in self.model.named_parameters():
                self.fisher[n]=(self.fisher[n]+old[n]*t)/(t+1)
        return

    def train_epoch(self,t,x,y):
        self.model.train()
        r=np.arange(x.size(0))
        np.random.shuffle(r)
        r=torch.LongTensor(r).to(self.device)
        for i in range(0,len(r),self.sbatch):
            b=r[i:i+self.sbatch]
            images,targets=x[b],y[b]
            outputs=self.model.forward(images)
            loss=self.criterion(t,outputs[t],targets)
            if t>0:
                with torch.no_grad():
                    before=self.model_old.forward(images)
                for u in range(t):
                    loss=loss+utils.cross_entropy(outputs[u],before[u],exp=1/self.T)
            self.optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(),self.clipgrad)
            self.optimizer.step()
        return

    def eval(self,t,x,y):
        total_loss,total_acc,total_num=0,0,0
        self.model.eval()
        with torch.no_grad():
            for i in range(0,len(x),self.sbatch):
                images,targets=x[i:i+self.sbatch],y[i:i+self.sbatch]
                output=self.model.forward(images)[t]
                loss=self.criterion(t,output,targets)
                _,pred=output.max(1)
                total_loss+=loss.data.cpu().numpy().item()*len(images)
                total_acc+=(pred==targets).float().sum().item()
                total_num+=len(images)
        return total_loss/total_num,total_acc/total_num

    def criterion(self,t,output,targets):
        loss_reg=0
        if t>0 and self.model_old is not None:
            for (name,param),(_,param_old) in zip(self.model.named_parameters(),self.model_old.named_parameters()):
                loss_reg+=torch.sum(self.fisher[name]*(param_old-param).pow(2))/2
        return self.ce(output,targets)+self.lamb*loss_reg
